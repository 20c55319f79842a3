/**
 * Entries to bytes and back (log-protocol 2): Avro by `schemas/ReplayEntry.v<n>.avsc` in Confluent wire format. The five
 * bytes of the prefix are outside every hash and every judgement; the version of the schema travels beside the bytes.
 */
import { createHash } from 'node:crypto';
import { type Bytes, u32be } from '../common/bytes.ts';
import { NodeError } from '../common/errors.ts';
import { AvroError, AvroReader, AvroWriter } from './avro.ts';
import {
  ENTRY_KINDS,
  type Entry,
  type Envelope,
  ID_BYTES,
  PROOF_KINDS,
  type ProofReference,
  entryKey,
} from './entry.ts';

/** Newest schema this software knows; it writes this one. */
export const NEWEST_SCHEMA = 1;
/** Version of the acceptance rules of log-protocol.md that this software implements. */
export const NEWEST_RULES = 1;

/** Magic byte and id of the schema in the registry. */
export const PREFIX_BYTES = 5;

export interface EncodedEntry {
  readonly schema: number;
  readonly key: string;
  readonly bytes: Bytes;
}

const EMPTY_PREFIX = new Uint8Array(PREFIX_BYTES);
const writer = new AvroWriter();

/** The registry's id in the prefix is 0; a log with a registry sets it while sending. Throws a NodeError on values that no field holds. */
export function encodeEntry(entry: Entry): EncodedEntry {
  if (entry.schema !== 1) {
    throw new NodeError('invariant', `no schema ${entry.schema} to write ${entryKey(entry)} in`, {
      code: 'UNKNOWN_SCHEMA',
      schema: entry.schema,
    });
  }
  writer.reset();
  writer.fixed(EMPTY_PREFIX, PREFIX_BYTES);
  writeEntryV1(writer, entry);
  return { schema: entry.schema, key: entryKey(entry), bytes: writer.finish() };
}

/**
 * Undefined unless the version is known, the body is consumed to its last byte and encodes to the same bytes again. Never
 * throws. What it returns shares no memory with `bytes`.
 */
export function decodeEntry(schema: number, bytes: Bytes): Entry | undefined {
  if (schema !== 1 || bytes.length < PREFIX_BYTES) return undefined;
  const reader = new AvroReader(bytes, PREFIX_BYTES);
  try {
    const entry = readEntryV1(reader);
    return reader.atEnd ? entry : undefined;
  } catch (error) {
    if (error instanceof AvroError) return undefined;
    throw error;
  }
}

/** SHA-256 of the schema's version and the body. */
export function entryHash(schema: number, bytes: Bytes): Bytes {
  const hash = createHash('sha256').update(u32be(schema)).update(bytes.subarray(PREFIX_BYTES)).digest();
  return new Uint8Array(hash);
}

function writeEntryV1(out: AvroWriter, entry: Entry): void {
  out.fixed(entry.logId, ID_BYTES);
  out.u64(entry.epoch);
  out.fixed(entry.claim, ID_BYTES);
  out.fixed(entry.nodeId, ID_BYTES);
  out.fixed(entry.bootId, ID_BYTES);
  out.count(ENTRY_KINDS.indexOf(entry.kind));
  switch (entry.kind) {
    case 'Genesis': {
      const { genesisInput } = entry;
      out.u64(entry.chainId);
      out.u64(entry.l1ChainId);
      out.fixed(entry.bridgehub, 20);
      out.array(genesisInput.initialContracts, ({ address, code }) => {
        out.fixed(address, 20);
        out.bytes(code);
      });
      out.array(genesisInput.additionalStorage, ({ key, value }) => {
        out.fixed(key, 32);
        out.fixed(value, 32);
      });
      out.u32(genesisInput.executionVersion);
      out.fixed(genesisInput.genesisRoot, 32);
      out.fixed(entry.genesisRoot, 32);
      out.bytes(entry.upgradeTransaction);
      out.array(entry.forceDeployPreimages, (code) => out.bytes(code));
      return;
    }
    case 'EpochStarted':
      out.u32(entry.rules);
      out.optional(entry.head, ({ height, parent }) => {
        out.u64(height);
        out.fixed(parent, 32);
      });
      return;
    case 'Block': {
      const { record } = entry;
      const { context } = record;
      out.u64(entry.height);
      out.fixed(entry.parent, 32);
      out.u64(context.chainId);
      out.u64(context.blockNumber);
      out.u64(context.timestamp);
      out.u256(context.eip1559BaseFee);
      out.u256(context.pubdataPrice);
      out.u256(context.nativePrice);
      out.fixed(context.coinbase, 20);
      out.u64(context.gasLimit);
      out.u64(context.pubdataLimit);
      out.u256(context.mixHash);
      out.u32(context.executionVersion);
      out.u64(record.startingL1PriorityId);
      out.array(record.transactions, (transaction) => out.bytes(transaction));
      out.u64(record.previousBlockTimestamp);
      out.text(record.nodeVersion);
      out.fixed(record.blockOutputHash, 32);
      return;
    }
    case 'BatchSealed': {
      const { commitInfo } = entry;
      out.u64(entry.batch);
      out.u64(entry.firstBlock);
      out.u64(entry.lastBlock);
      out.fixed(entry.storedBatchHash, 32);
      out.text(entry.reason);
      out.u64(commitInfo.batchNumber);
      out.fixed(commitInfo.newStateCommitment, 32);
      out.u64(commitInfo.numberOfLayer1Txs);
      out.fixed(commitInfo.priorityOperationsHash, 32);
      out.fixed(commitInfo.dependencyRootsRollingHash, 32);
      out.fixed(commitInfo.l2ToL1LogsRootHash, 32);
      out.fixed(commitInfo.l2DaValidator, 20);
      out.fixed(commitInfo.daCommitment, 32);
      out.u64(commitInfo.firstBlockTimestamp);
      out.u64(commitInfo.lastBlockTimestamp);
      out.u64(commitInfo.chainId);
      out.fixed(commitInfo.chainAddress, 20);
      writeOptionalHash(out, commitInfo.upgradeTxHash);
      return;
    }
    case 'FriProved':
      out.u64(entry.batch);
      out.fixed(entry.storedBatchHash, 32);
      out.count(PROOF_KINDS.indexOf(entry.proofKind));
      writeProof(out, entry.proof);
      writeOptionalHash(out, entry.replaces);
      return;
    case 'SnarkProved':
      out.u64(entry.fromBatch);
      out.u64(entry.toBatch);
      out.count(PROOF_KINDS.indexOf(entry.proofKind));
      writeProof(out, entry.proof);
      writeOptionalHash(out, entry.replaces);
      return;
    case 'L1Progress':
      out.u64(entry.committed);
      out.u64(entry.proved);
      out.u64(entry.executed);
      out.u64(entry.l1BlockNumber);
      out.fixed(entry.l1BlockHash, 32);
      return;
  }
}

function readEntryV1(input: AvroReader): Entry {
  const envelope: Envelope = {
    schema: 1,
    logId: input.fixed(ID_BYTES),
    epoch: input.u64(),
    claim: input.fixed(ID_BYTES),
    nodeId: input.fixed(ID_BYTES),
    bootId: input.fixed(ID_BYTES),
  };
  // The fields of an object literal are evaluated in the order they are written: it is the order of the schema.
  const kind = ENTRY_KINDS[input.count()];
  switch (kind) {
    case 'Genesis':
      return {
        kind: 'Genesis',
        ...envelope,
        chainId: input.u64(),
        l1ChainId: input.u64(),
        bridgehub: input.fixed(20),
        genesisInput: {
          initialContracts: input.array(() => ({ address: input.fixed(20), code: input.bytes() })),
          additionalStorage: input.array(() => ({ key: input.fixed(32), value: input.fixed(32) })),
          executionVersion: input.u32(),
          genesisRoot: input.fixed(32),
        },
        genesisRoot: input.fixed(32),
        upgradeTransaction: input.bytes(),
        forceDeployPreimages: input.array(() => input.bytes()),
      };
    case 'EpochStarted':
      return {
        kind: 'EpochStarted',
        ...envelope,
        rules: input.u32(),
        head: input.optional(() => ({ height: input.u64(), parent: input.fixed(32) })),
      };
    case 'Block':
      return {
        kind: 'Block',
        ...envelope,
        height: input.u64(),
        parent: input.fixed(32),
        record: {
          context: {
            chainId: input.u64(),
            blockNumber: input.u64(),
            timestamp: input.u64(),
            eip1559BaseFee: input.u256(),
            pubdataPrice: input.u256(),
            nativePrice: input.u256(),
            coinbase: input.fixed(20),
            gasLimit: input.u64(),
            pubdataLimit: input.u64(),
            mixHash: input.u256(),
            executionVersion: input.u32(),
          },
          startingL1PriorityId: input.u64(),
          transactions: input.array(() => input.bytes()),
          previousBlockTimestamp: input.u64(),
          nodeVersion: input.text(),
          blockOutputHash: input.fixed(32),
        },
      };
    case 'BatchSealed':
      return {
        kind: 'BatchSealed',
        ...envelope,
        batch: input.u64(),
        firstBlock: input.u64(),
        lastBlock: input.u64(),
        storedBatchHash: input.fixed(32),
        reason: input.text(),
        commitInfo: {
          batchNumber: input.u64(),
          newStateCommitment: input.fixed(32),
          numberOfLayer1Txs: input.u64(),
          priorityOperationsHash: input.fixed(32),
          dependencyRootsRollingHash: input.fixed(32),
          l2ToL1LogsRootHash: input.fixed(32),
          l2DaValidator: input.fixed(20),
          daCommitment: input.fixed(32),
          firstBlockTimestamp: input.u64(),
          lastBlockTimestamp: input.u64(),
          chainId: input.u64(),
          chainAddress: input.fixed(20),
          upgradeTxHash: readOptionalHash(input),
        },
      };
    case 'FriProved':
      return {
        kind: 'FriProved',
        ...envelope,
        batch: input.u64(),
        storedBatchHash: input.fixed(32),
        proofKind: readProofKind(input),
        proof: readProof(input),
        replaces: readOptionalHash(input),
      };
    case 'SnarkProved':
      return {
        kind: 'SnarkProved',
        ...envelope,
        fromBatch: input.u64(),
        toBatch: input.u64(),
        proofKind: readProofKind(input),
        proof: readProof(input),
        replaces: readOptionalHash(input),
      };
    case 'L1Progress':
      return {
        kind: 'L1Progress',
        ...envelope,
        committed: input.u64(),
        proved: input.u64(),
        executed: input.u64(),
        l1BlockNumber: input.u64(),
        l1BlockHash: input.fixed(32),
      };
    default:
      throw new AvroError('no such kind of entry');
  }
}

function writeOptionalHash(out: AvroWriter, hash: Bytes | undefined): void {
  out.optional(hash, (value) => out.fixed(value, 32));
}

function readOptionalHash(input: AvroReader): Bytes | undefined {
  return input.optional(() => input.fixed(32));
}

function writeProof(out: AvroWriter, proof: ProofReference): void {
  out.text(proof.key);
  out.fixed(proof.hash, 32);
}

function readProof(input: AvroReader): ProofReference {
  return { key: input.text(), hash: input.fixed(32) };
}

function readProofKind(input: AvroReader): (typeof PROOF_KINDS)[number] {
  const kind = PROOF_KINDS[input.count()];
  if (kind === undefined) throw new AvroError('no such kind of proof');
  return kind;
}
