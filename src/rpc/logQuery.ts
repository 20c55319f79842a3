/** eth_getLogs (spec: rpc 8): never incomplete without an error. */
import type { Bytes } from '../common/bytes.ts';
import type { FoundLog, LogScan } from '../projections/repositoriesReader.ts';
import type { RpcBackend } from './backend.ts';
import type { BlockId } from './blockTags.ts';
import { parseBlockNumber, requireBlock, tagHeight } from './blockTags.ts';
import { RPC_CODE, RpcError, blockNotFound, invalidArgument, responseTooBig } from './errors.ts';
import { isAbsent, parseAddress, parseArray, parseHash, parseObject } from './validation.ts';

const MAX_ADDRESSES = 1_000;
const MAX_TOPICS = 4;
const MAX_TOPIC_CHOICES = 1_000;

export interface LogQuery {
  readonly range:
    | { readonly kind: 'block'; readonly blockHash: Bytes }
    | { readonly kind: 'range'; readonly from: BlockId; readonly to: BlockId };
  readonly addresses: readonly Bytes[];
  readonly topics: readonly (readonly Bytes[])[];
}

/** Of RpcMetrics, which all who search give. */
export interface LogMetrics {
  logsScanned(scan: LogScan): void;
}

export interface LogLimits {
  readonly maxBlocks: number;
  readonly maxLogs: number;
}

export function parseLogQuery(value: unknown, name: string): LogQuery {
  const fields = parseObject(value, name);
  return {
    range: parseRange(fields, name),
    addresses: parseAddresses(fields['address'], `${name}.address`),
    topics: isAbsent(fields['topics']) ? [] : parseTopics(fields['topics'], `${name}.topics`),
  };
}

function parseRange(fields: Readonly<Record<string, unknown>>, name: string): LogQuery['range'] {
  const { fromBlock, toBlock, blockHash } = fields;
  if (isAbsent(blockHash)) {
    return {
      kind: 'range',
      from: parseBlockNumber(fromBlock, `${name}.fromBlock`),
      to: parseBlockNumber(toBlock, `${name}.toBlock`),
    };
  }
  if (!isAbsent(fromBlock) || !isAbsent(toBlock)) {
    throw invalidArgument(
      `invalid ${name}: cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other`,
    );
  }
  return { kind: 'block', blockHash: parseHash(blockHash, `${name}.blockHash`) };
}

function parseAddresses(value: unknown, name: string): readonly Bytes[] {
  if (isAbsent(value)) return [];
  return Array.isArray(value) ? parseArray(value, name, MAX_ADDRESSES, parseAddress) : [parseAddress(value, name)];
}

function parseTopics(value: unknown, name: string): readonly (readonly Bytes[])[] {
  return parseArray(value, name, MAX_TOPICS, (position, positionName) => {
    if (isAbsent(position)) return [];
    if (!Array.isArray(position)) return [parseHash(position, positionName)];
    // One "any" among the choices makes the whole position "any".
    if (position.some(isAbsent)) return [];
    return parseArray(position, positionName, MAX_TOPIC_CHOICES, parseHash);
  });
}

/** A range end as a height: beyond the head is an error of its own, not yet readable is `block not found`. */
function rangeEnd(backend: RpcBackend, id: BlockId): number {
  if (id.kind === 'tag') return tagHeight(backend, id.tag);
  if (id.kind === 'hash') throw invalidArgument('a block range has numbers and tags only');
  if (id.number <= BigInt(backend.latest())) return Number(id.number);
  if (id.number <= BigInt(backend.logHead())) throw blockNotFound();
  throw invalidArgument('block range extends beyond current head block');
}

async function resolveRange(
  backend: RpcBackend,
  range: LogQuery['range'],
): Promise<{ readonly fromBlock: number; readonly toBlock: number }> {
  if (range.kind === 'block') {
    const number = await requireBlock(backend, { kind: 'hash', hash: range.blockHash });
    return { fromBlock: number, toBlock: number };
  }
  const { from, to } = range;
  if (from.kind === 'number' && to.kind === 'number' && from.number > to.number) throw reversedRange();
  const fromBlock = rangeEnd(backend, from);
  const toBlock = rangeEnd(backend, to);
  if (fromBlock > toBlock) throw reversedRange();
  return { fromBlock, toBlock };
}

function reversedRange(): RpcError {
  return invalidArgument('invalid block range params');
}

/** Of what is searched: the JSON text of a log has two characters for each byte, and more. */
export function maxLogBytes(maxResponseBytes: number): number {
  return Math.floor(maxResponseBytes / 2);
}

/** Errors: -32602 for an impossible range, -32005 for one that is too wide or holds too much, -32001, -32008. */
export async function findLogs(
  {
    backend,
    limits,
    maxResponseBytes,
    metrics,
  }: { backend: RpcBackend; limits: LogLimits; maxResponseBytes: number; metrics: LogMetrics },
  query: LogQuery,
): Promise<readonly FoundLog[]> {
  const { fromBlock, toBlock } = await resolveRange(backend, query.range);
  if (toBlock - fromBlock > limits.maxBlocks) {
    throw new RpcError(RPC_CODE.limitExceeded, `query exceeds max block range ${limits.maxBlocks}`);
  }
  const { addresses, topics } = query;
  const search = await backend.repositories.logs({
    fromBlock,
    toBlock,
    addresses,
    topics,
    maxResults: limits.maxLogs,
    maxBytes: maxLogBytes(maxResponseBytes),
  });
  metrics.logsScanned(search.scan);
  if (search.kind === 'found') return search.logs;
  if (search.kind === 'tooLarge') throw responseTooBig(maxResponseBytes);
  const { lastCompleteBlock } = search;
  const advice =
    lastCompleteBlock === undefined || lastCompleteBlock < fromBlock
      ? 'narrow the query by address or topic'
      : `retry with the range ${fromBlock}-${lastCompleteBlock}`;
  throw new RpcError(RPC_CODE.limitExceeded, `query exceeds max results ${limits.maxLogs}, ${advice}`);
}
