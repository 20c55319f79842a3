/** Dumps of blocks that could not be executed (spec: operations 9): all that is needed to run them again. */
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Bytes, fromHex, toHex } from '../common/bytes.ts';
import { NodeError } from '../common/errors.ts';
import { JsonReader } from '../common/jsonReader.ts';
import type { BlockOutput } from '../protocol/blockOutput.ts';
import type { BlockContext, BlockRecord } from '../protocol/replayRecord.ts';
import { blockContextFromJson, blockContextToJson } from './blockContextJson.ts';

const KEPT_DUMPS = 20;

export interface BlockDump {
  readonly context: BlockContext;
  /** Every envelope tried so far, the failing one included. */
  readonly transactions: readonly Bytes[];
  readonly error: string;
  readonly code: string;
  /** Of the log entry; undefined while building. */
  readonly position: number | undefined;
  readonly nodeVersion: string;
  readonly record: BlockRecord | undefined;
  /** What execution gave, when it came to an end. */
  readonly output: BlockOutput | undefined;
}

/** Writes the dump an invariant error carries the facts for; returns its path, undefined when it carries none. Synchronous: the process is about to stop. */
export function writeBlockDump(folder: string, error: unknown, nodeVersion: string, nowMs: number): string | undefined {
  if (!(error instanceof NodeError) || error.kind !== 'invariant') return undefined;
  const { context, transactions, record, output, position } = error.facts as unknown as Partial<BlockDump>;
  if (context === undefined || transactions === undefined) return undefined;
  const dump: BlockDump = {
    context,
    transactions,
    error: error.message,
    code: error.code,
    position,
    nodeVersion,
    record,
    output,
  };
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `dump_${context.blockNumber}_${Math.floor(nowMs / 1000)}.json`);
  writeFileSync(path, JSON.stringify(dumpToJson(dump), undefined, 2));
  removeOldDumps(folder);
  return path;
}

/** @throws NodeError DUMP_UNREADABLE */
export function readBlockDump(path: string): BlockDump {
  try {
    const text = readFileSync(path, 'utf8');
    const context = blockContextFromJson(JsonReader.parse(text, path).field('ctx'));
    return dumpFromJson(JSON.parse(text) as DumpJson, context);
  } catch (error) {
    throw new NodeError(
      'fatal',
      `${path} is not a readable block dump: ${error instanceof Error ? error.message : String(error)}`,
      { code: 'DUMP_UNREADABLE', path },
      { cause: error },
    );
  }
}

interface DumpJson {
  readonly ctx: ReturnType<typeof blockContextToJson>;
  readonly txs: readonly string[];
  readonly error: string;
  readonly code: string;
  readonly position: number | null;
  readonly nodeVersion: string;
  readonly startingL1PriorityId: string | null;
  readonly previousBlockTimestamp: string | null;
  readonly expectedOutputHash: string | null;
  readonly actualOutputHash: string | null;
  readonly storageWrites: readonly { readonly address: string; readonly slot: string; readonly value: string }[] | null;
}

function dumpToJson(dump: BlockDump): DumpJson {
  const { context, record, output } = dump;
  return {
    ctx: blockContextToJson(context),
    txs: dump.transactions.map(toHex),
    error: dump.error,
    code: dump.code,
    position: dump.position ?? null,
    nodeVersion: record?.nodeVersion ?? dump.nodeVersion,
    startingL1PriorityId: record?.startingL1PriorityId.toString() ?? null,
    previousBlockTimestamp: record?.previousBlockTimestamp.toString() ?? null,
    expectedOutputHash: record === undefined ? null : toHex(record.blockOutputHash),
    actualOutputHash: output === undefined ? null : toHex(output.blockOutputHash),
    storageWrites:
      output?.writes.map(({ address, slot, value }) => ({
        address: toHex(address),
        slot: toHex(slot),
        value: toHex(value),
      })) ?? null,
  };
}

function dumpFromJson(json: DumpJson, context: BlockContext): BlockDump {
  const transactions = json.txs.map(fromHex);
  const { startingL1PriorityId, previousBlockTimestamp, expectedOutputHash } = json;
  const { blockHashes: _ring, ...recordContext } = context;
  const record: BlockRecord | undefined =
    startingL1PriorityId === null || previousBlockTimestamp === null || expectedOutputHash === null
      ? undefined
      : {
          context: recordContext,
          startingL1PriorityId: BigInt(startingL1PriorityId),
          transactions,
          previousBlockTimestamp: BigInt(previousBlockTimestamp),
          nodeVersion: json.nodeVersion,
          blockOutputHash: fromHex(expectedOutputHash),
        };
  return {
    context,
    transactions,
    error: json.error,
    code: json.code,
    position: json.position ?? undefined,
    nodeVersion: json.nodeVersion,
    record,
    output: undefined,
  };
}

function removeOldDumps(folder: string): void {
  const dumps = readdirSync(folder)
    .filter((name) => /^dump_\d+_\d+\.json$/.test(name))
    .sort((a, b) => Number(b.split(/[_.]/)[2]) - Number(a.split(/[_.]/)[2]));
  for (const name of dumps.slice(KEPT_DUMPS)) rmSync(join(folder, name), { force: true });
}
