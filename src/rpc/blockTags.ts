/** Which block a request means (spec: rpc 3, 15). */
import type { Bytes } from '../common/bytes.ts';
import type { RpcBackend } from './backend.ts';
import { RPC_CODE, RpcError, blockNotFound, invalidParams } from './errors.ts';
import { U64_MAX, isAbsent, parseBoolean, parseHash, parseIndex, parseObject, parseQuantity } from './validation.ts';

export type BlockTag = 'earliest' | 'finalized' | 'safe' | 'latest' | 'pending';

export type BlockId =
  | { readonly kind: 'tag'; readonly tag: BlockTag }
  | { readonly kind: 'number'; readonly number: bigint }
  | { readonly kind: 'hash'; readonly hash: Bytes };

export const LATEST: BlockId = { kind: 'tag', tag: 'latest' };

const TAGS: ReadonlySet<string> = new Set(['earliest', 'finalized', 'safe', 'latest', 'pending']);

function isTag(value: unknown): value is BlockTag {
  return typeof value === 'string' && TAGS.has(value);
}

/** A tag or a quantity; absent is `latest`. */
export function parseBlockNumber(value: unknown, name: string): BlockId {
  if (isAbsent(value)) return LATEST;
  if (isTag(value)) return { kind: 'tag', tag: value };
  return { kind: 'number', number: parseQuantity(value, name, U64_MAX) };
}

/** Also a plain JSON integer, as block explorers send it. */
export function parseLenientBlockNumber(value: unknown, name: string): BlockId {
  return typeof value === 'number'
    ? { kind: 'number', number: parseIndex(value, name) }
    : parseBlockNumber(value, name);
}

/** Also a block hash, plain or as an EIP-1898 object. */
export function parseBlockId(value: unknown, name: string): BlockId {
  if (typeof value === 'string' && value.length === 66) return { kind: 'hash', hash: parseHash(value, name) };
  if (typeof value !== 'object' || isAbsent(value)) return parseBlockNumber(value, name);
  const fields = parseObject(value, name);
  if (!isAbsent(fields['requireCanonical'])) parseBoolean(fields['requireCanonical'], `${name}.requireCanonical`);
  const hasNumber = !isAbsent(fields['blockNumber']);
  if (!isAbsent(fields['blockHash'])) {
    if (hasNumber) throw invalidParams(`invalid ${name}: cannot specify both blockHash and blockNumber`);
    return { kind: 'hash', hash: parseHash(fields['blockHash'], `${name}.blockHash`) };
  }
  if (!hasNumber) throw invalidParams(`invalid ${name}: blockHash or blockNumber is missing`);
  return parseBlockNumber(fields['blockNumber'], `${name}.blockNumber`);
}

/** earliest <= finalized <= safe <= latest, whatever the sources say. */
export function tagHeight(backend: RpcBackend, tag: BlockTag): number {
  const latest = backend.latest();
  if (tag === 'latest' || tag === 'pending') return latest;
  if (tag === 'earliest') return 0;
  const safe = Math.min(backend.safe(), latest);
  return tag === 'safe' ? safe : Math.min(backend.finalized(), safe);
}

/**
 * The height of a block that is readable here; undefined when no such block exists.
 * Throws `block not found` for a block that the log has and that is not readable yet, so that "not yet" is never "not there".
 */
export async function findBlock(backend: RpcBackend, id: BlockId): Promise<number | undefined> {
  if (id.kind === 'tag') return tagHeight(backend, id.tag);
  if (id.kind === 'hash') {
    const number = await backend.repositories.blockNumberByHash(id.hash);
    if (number !== undefined && number > backend.latest()) throw blockNotFound();
    return number;
  }
  const latest = backend.latest();
  if (id.number <= BigInt(latest)) return Number(id.number);
  if (id.number <= BigInt(backend.logHead())) throw blockNotFound();
  return undefined;
}

/** As `findBlock`; a block that does not exist is an error too. */
export async function requireBlock(backend: RpcBackend, id: BlockId): Promise<number> {
  const number = await findBlock(backend, id);
  if (number === undefined) throw blockNotFound();
  return number;
}

/** For readers of state: names the height that does not exist. */
export async function requireState(backend: RpcBackend, id: BlockId): Promise<number> {
  const number = await findBlock(backend, id);
  if (number !== undefined) return number;
  if (id.kind === 'number') throw new RpcError(RPC_CODE.notFound, `block ${id.number} not found`);
  throw blockNotFound();
}
