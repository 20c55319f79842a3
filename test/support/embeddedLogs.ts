/** Embedded logs of stopped nodes, read and written by tests. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type ChainFold, EMPTY_FOLD, foldChain } from '../../src/log/chainFold.ts';
import type { Entry } from '../../src/log/entry.ts';
import { type EncodedEntry, decodeEntry } from '../../src/log/entryCodec.ts';
import { openEmbeddedLog } from '../../src/log/eventLog.embedded.ts';
import type { LogEntry } from '../../src/log/eventLog.ts';
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
