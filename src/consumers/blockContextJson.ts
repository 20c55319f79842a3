/** A block context in JSON, with the names of spec: replay-record 2: in block dumps and in the input of `reprise execute`. */
import { type Bytes, toHex, ZERO_32 } from '../common/bytes.ts';
import type { JsonReader } from '../common/jsonReader.ts';
import type { BlockContext } from '../protocol/replayRecord.ts';

const U32_MAX = 0xffff_ffffn;
const U64_MAX = 0xffff_ffff_ffff_ffffn;
const U256_MAX = (1n << 256n) - 1n;
const RING_LENGTH = 256;

const KEYS = [
  'chain_id',
  'block_number',
  'block_hashes',
  'timestamp',
  'eip1559_basefee',
  'pubdata_price',
  'native_price',
  'coinbase',
  'gas_limit',
  'pubdata_limit',
  'mix_hash',
  'execution_version',
];

/** Integers as decimal strings. */
export function blockContextToJson(
  context: BlockContext,
): Readonly<Record<string, string | number | readonly string[]>> {
  return {
    chain_id: context.chainId.toString(),
    block_number: context.blockNumber.toString(),
    block_hashes: context.blockHashes.map(toHex),
    timestamp: context.timestamp.toString(),
    eip1559_basefee: context.eip1559BaseFee.toString(),
    pubdata_price: context.pubdataPrice.toString(),
    native_price: context.nativePrice.toString(),
    coinbase: toHex(context.coinbase),
    gas_limit: context.gasLimit.toString(),
    pubdata_limit: context.pubdataLimit.toString(),
    mix_hash: context.mixHash.toString(),
    execution_version: context.executionVersion,
  };
}

/** Oldest first; a shorter list is the newest hashes, what lies before them is zero. */
function ring(json: JsonReader | undefined): Bytes[] {
  const hashes = json?.items().map((item) => item.bytes(32)) ?? [];
  if (hashes.length > RING_LENGTH) json?.fail(`has ${hashes.length} hashes, not at most ${RING_LENGTH}`);
  return [...Array.from({ length: RING_LENGTH - hashes.length }, () => ZERO_32), ...hashes];
}

/**
 * Every field is there but `block_hashes` (all zero), `mix_hash` (0) and `execution_version` (3), which have defaults.
 * @throws NodeError JSON_INVALID
 */
export function blockContextFromJson(json: JsonReader): BlockContext {
  json.keysOf(KEYS);
  const version = json.optional('execution_version');
  return {
    chainId: json.field('chain_id').integer(U64_MAX),
    blockNumber: json.field('block_number').integer(U64_MAX),
    blockHashes: ring(json.optional('block_hashes')),
    timestamp: json.field('timestamp').integer(U64_MAX),
    eip1559BaseFee: json.field('eip1559_basefee').integer(U256_MAX),
    pubdataPrice: json.field('pubdata_price').integer(U256_MAX),
    nativePrice: json.field('native_price').integer(U256_MAX),
    coinbase: json.field('coinbase').bytes(20),
    gasLimit: json.field('gas_limit').integer(U64_MAX),
    pubdataLimit: json.field('pubdata_limit').integer(U64_MAX),
    mixHash: json.optional('mix_hash')?.integer(U256_MAX) ?? 0n,
    executionVersion: version === undefined ? 3 : Number(version.integer(U32_MAX)),
  };
}
