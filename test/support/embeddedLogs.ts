/** Embedded logs of stopped nodes, read and written by tests. */
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Bytes } from '../../src/common/bytes.ts';
import { type ChainFold, EMPTY_FOLD, foldChain } from '../../src/log/chainFold.ts';
import type { Entry } from '../../src/log/entry.ts';
import { isSettlementEntry } from '../../src/log/entry.ts';
import { type EncodedEntry, decodeEntry, encodeEntry } from '../../src/log/entryCodec.ts';
import { openEmbeddedLog } from '../../src/log/eventLog.embedded.ts';
import type { LogEntry } from '../../src/log/eventLog.ts';
import { EMPTY_SETTLEMENT, type SettlementFold, foldSettlement } from '../../src/log/settlementFold.ts';
import { SOFTWARE } from '../../src/workers/chain.ts';

/** Where a node with this data folder has its log. */
export function logPath(dataPath: string): string {
  return join(dataPath, 'log');
}

export async function readEmbeddedLog(path: string): Promise<LogEntry[]> {
  const log = openEmbeddedLog({ path, readOnly: true });
  const entries: LogEntry[] = [];
  for (let position = 0; ; position++) {
    const entry = await log.entryAt(position);
    if (entry === undefined) break;
    entries.push(entry);
  }
  await log.close();
  return entries;
}

/** No other process may have it open for writing. */
export async function appendToEmbeddedLog(path: string, entries: readonly EncodedEntry[]): Promise<void> {
  const log = openEmbeddedLog({ path });
  await log.append(entries);
  await log.close();
}

/** A log that holds exactly these, with right checksums, as if they had been written so. */
export async function rewriteEmbeddedLog(path: string, entries: readonly EncodedEntry[]): Promise<void> {
  rmSync(path, { recursive: true, force: true });
  await appendToEmbeddedLog(path, entries);
}

/** What every reader makes of these entries. */
export function foldOf(entries: readonly LogEntry[]): ChainFold {
  return entries.reduce(
    (fold, { schema, bytes }) => foldChain(fold, decodeEntry(schema, bytes), SOFTWARE).state,
    EMPTY_FOLD,
  );
}

export function decoded<Kind extends Entry['kind']>(
  entry: LogEntry | undefined,
  kind: Kind,
): Extract<Entry, { kind: Kind }> {
  const found = entry === undefined ? undefined : decodeEntry(entry.schema, entry.bytes);
  if (found?.kind !== kind)
    throw new Error(`position ${entry?.position} holds ${found?.kind ?? 'nothing that decodes'}, not ${kind}`);
  return found as Extract<Entry, { kind: Kind }>; // compared with the line above
}

/** What every reader makes of the settlement entries among these. */
export function settlementFoldOf(entries: readonly LogEntry[]): SettlementFold {
  let [chain, settlement] = [EMPTY_FOLD, EMPTY_SETTLEMENT];
  for (const { schema, bytes } of entries) {
    const entry = decodeEntry(schema, bytes);
    if (entry !== undefined && isSettlementEntry(entry))
      settlement = foldSettlement(settlement, entry, chain, SOFTWARE).state;
    chain = foldChain(chain, entry, SOFTWARE).state;
  }
  return settlement;
}

/** The test leads: one claim of its own and what it appends with it. No node may lead meanwhile. */
export async function appendAsLeader(path: string, contents: readonly ((owned: object) => Entry)[]): Promise<void> {
  const fold = foldOf(await readEmbeddedLog(path));
  const id = (): Bytes => new Uint8Array(randomBytes(16));
  const owned = { schema: 1, logId: fold.logId, epoch: fold.epoch + 1n, claim: id(), nodeId: id(), bootId: id() };
  const claim = {
    kind: 'EpochStarted',
    ...owned,
    rules: 1,
    head: { height: BigInt(fold.height), parent: fold.parent },
  } as Entry;
  await appendToEmbeddedLog(path, [claim, ...contents.map((content) => content(owned))].map(encodeEntry));
}

/** What L1 says, everything that is executed being proved and no more. */
export function progressOnL1(committed: number, executed: number, l1Block: number): (owned: object) => Entry {
  return (owned) =>
    ({
      kind: 'L1Progress',
      ...owned,
      committed: BigInt(committed),
      proved: BigInt(executed),
      executed: BigInt(executed),
      l1BlockNumber: BigInt(l1Block),
      l1BlockHash: new Uint8Array(32).fill(7),
    }) as Entry;
}
