/** The output of a block from the state it left behind (spec: execution 6, 12, state 2, 5, 7, replay-record 6). */
import { bytesKey, EMPTY_BYTES, ZERO_32 } from '../common/bytes.ts';
import type { Bytes } from '../common/bytes.ts';
import { assert } from '../common/errors.ts';
import { accountRecordHash, encodeAccountRecord, equalAccountCode } from '../protocol/accountRecord.ts';
import { EMPTY_OMMERS_HASH, headerHash, nextTransactionsRoot } from '../protocol/blockHeader.ts';
import type {
  BlockHeader,
  BlockOutput,
  L2ToL1Log,
  Preimage,
  StorageWrite,
  TransactionOutput,
} from '../protocol/blockOutput.ts';
import { blockOutputHash } from '../protocol/blockOutputHash.ts';
import { encodePubdata } from '../protocol/pubdata.ts';
import type { PubdataDiff } from '../protocol/pubdata.ts';
import type { BlockContext } from '../protocol/replayRecord.ts';
import { accountFlatKey, accountSlot, compareStorageOrder, flatKey } from '../protocol/stateKey.ts';
import type { Transaction } from '../protocol/transaction.ts';
import { vmTransactionHash } from '../protocol/transactionCodec.ts';
import { ACCOUNT_PROPERTIES_ADDRESS } from '../protocol/systemAddresses.ts';
import { equalWords, LIMBS, readBigInt, wordToBytes } from './words.ts';
import type { WorldState } from './worldState.ts';

interface Change {
  readonly write: StorageWrite;
  readonly diff: PubdataDiff;
  readonly address: Bytes;
  readonly slot: Bytes;
}

const MIX_HASH: Bytes = new Uint8Array(32).fill(1, 31);

function accountChanges(world: WorldState, preimages: Map<string, Preimage>): Change[] {
  const changes: Change[] = [];
  for (const account of world.accounts) {
    if (!account.hasChanged) continue;
    const final = account.record;
    const bytes = encodeAccountRecord(final);
    const hash = accountRecordHash(bytes);
    preimages.set(bytesKey(hash), { hash, bytes });
    let storedCode: Bytes | undefined;
    if (!equalAccountCode(account.initial, final)) {
      storedCode = account.hasBytecodeHash ? world.deployedCode.get(bytesKey(final.bytecodeHash)) : EMPTY_BYTES;
      assert(storedCode !== undefined, 'code was deployed in this block and its stored form is gone');
      if (account.hasBytecodeHash)
        preimages.set(bytesKey(final.bytecodeHash), { hash: final.bytecodeHash, bytes: storedCode });
    }
    const key = accountFlatKey(account.address);
    const slot = accountSlot(account.address);
    changes.push({
      write: { flatKey: key, value: hash, address: ACCOUNT_PROPERTIES_ADDRESS, slot, accountRecord: bytes },
      diff: {
        kind: 'account',
        flatKey: key,
        initial: account.initial,
        final,
        storedCode: account.hidesCode ? undefined : storedCode,
      },
      address: ACCOUNT_PROPERTIES_ADDRESS,
      slot,
    });
  }
  return changes;
}

function slotChanges(world: WorldState): Change[] {
  const changes: Change[] = [];
  const { initial, current, index } = world.slots;
  for (let slotIndex = 0; slotIndex < index.size; slotIndex += 1) {
    const at = slotIndex * LIMBS;
    if (equalWords(initial, at, current, at)) continue;
    const { address } = world.accounts[index.tags[slotIndex]!]!;
    const slot = wordToBytes(index.keys, at);
    const key = flatKey(address, slot);
    changes.push({
      write: { flatKey: key, value: wordToBytes(current, at), address, slot, accountRecord: undefined },
      diff: { kind: 'slot', flatKey: key, initial: readBigInt(initial, at), final: readBigInt(current, at) },
      address,
      slot,
    });
  }
  return changes;
}

/** The order of key strings is that of their bytes. */
function byKey([a]: readonly [string, Preimage], [b]: readonly [string, Preimage]): number {
  return a < b ? -1 : 1;
}

export function blockOutput(options: {
  context: BlockContext;
  world: WorldState;
  transactions: readonly Transaction[];
  /** In the order of `transactions`. */
  outputs: readonly TransactionOutput[];
  /** Of all of them. */
  logsBloom: Bytes;
  gasUsed: bigint;
  computationalNativeUsed: bigint;
}): BlockOutput {
  const { context, world, outputs } = options;
  const l2ToL1Logs: L2ToL1Log[] = [];
  const messages: Bytes[] = [];
  for (const output of outputs) {
    l2ToL1Logs.push(...output.l2ToL1Logs);
    for (const message of output.messages) messages.push(message.data);
  }
  let transactionsRoot = ZERO_32;
  for (const transaction of options.transactions)
    transactionsRoot = nextTransactionsRoot(transactionsRoot, vmTransactionHash(transaction, context.chainId));
  const header: BlockHeader = {
    parentHash: context.blockHashes[context.blockHashes.length - 1] ?? ZERO_32,
    ommersHash: EMPTY_OMMERS_HASH,
    beneficiary: context.coinbase,
    stateRoot: ZERO_32,
    transactionsRoot,
    receiptsRoot: ZERO_32,
    logsBloom: options.logsBloom,
    difficulty: 0n,
    number: context.blockNumber,
    gasLimit: context.gasLimit,
    gasUsed: options.gasUsed,
    timestamp: context.timestamp,
    extraData: EMPTY_BYTES,
    mixHash: MIX_HASH,
    nonce: new Uint8Array(8),
    baseFeePerGas: context.eip1559BaseFee,
  };
  const blockHash = headerHash(header);
  const preimages = new Map<string, Preimage>();
  const changes = [...accountChanges(world, preimages), ...slotChanges(world)].sort(compareStorageOrder);
  const writes = changes.map((change) => change.write);
  return {
    header,
    blockHash,
    transactions: outputs,
    writes,
    preimages: [...preimages].sort(byKey).map(([, preimage]) => preimage),
    pubdata: encodePubdata({ blockHash, diffs: changes.map((change) => change.diff), l2ToL1Logs, messages }),
    computationalNativeUsed: options.computationalNativeUsed,
    blockOutputHash: blockOutputHash(blockHash, outputs, writes),
  };
}
