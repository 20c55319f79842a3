import assert from 'node:assert/strict';
import { type Bytes, ZERO_32, fromHex, toHex } from '../../src/common/bytes.ts';
import type { BatchesReader, LogProof, SealedBatchDetails } from '../../src/projections/batchesReader.ts';
import type { KeyProof, MerkleTreeReader } from '../../src/projections/merkleTreeReader.ts';
import { storedBatchInfo } from '../../src/protocol/batch.ts';
import { decodeTransaction } from '../../src/protocol/transactionCodec.ts';
import { StateTree } from '../../src/protocol/stateTree.ts';
import { flatKey } from '../../src/protocol/stateKey.ts';
import { aCommitInfo, filled } from '../support/logEntries.ts';
import { type Answer, FakeChain, type TestServer, startTestServer } from './fakeBackend.ts';
import { EMITTER, l2Case, l2Transaction } from './samples.ts';

const SERVER_ERROR = -32000;
const INVALID_PARAMS = -32602;
const hashOf = (type: '0x0' | '0x1'): string => toHex(decodeTransaction(fromHex(l2Case(type).raw)).hash);
const LOG = { shardId: 0, isService: true, txNumberInBlock: 0, sender: EMITTER, key: filled(1), value: filled(2) };
const SLOT = filled(0x51);
const ABSENT_SLOT = filled(0x52);
const ADDRESS = toHex(EMITTER);

function aSeal(batch: number, lastBlock: number): SealedBatchDetails {
  return {
    batch,
    firstBlock: lastBlock,
    lastBlock,
    storedBatchHash: filled(7),
    reason: 'timeout',
    commitInfo: aCommitInfo({ batchNumber: BigInt(batch) }),
    transactions: 1,
    friProof: undefined,
  };
}

const PROOF: LogProof = {
  batch: 1,
  id: 4,
  leaf: filled(0xee),
  root: filled(0xcc),
  path: [...Array.from({ length: 14 }, (_, i) => filled(i + 1)), ZERO_32],
};

/** Block n is batch n; logs are asked for by what `asked` keeps. */
function batchesOf(sealed: number, asked: object[]): BatchesReader {
  return {
    batch: async (batch) => (batch <= sealed ? aSeal(batch, batch) : undefined),
    batchOfBlock: async (block) => (block <= sealed ? aSeal(block, block) : undefined),
    newestBatch: async () => sealed,
    progress: async () => ({ committed: 0, proved: 0, executed: 0, l1BlockNumber: 0n }),
    snarkProof: async () => undefined,
    logProof: async (at) => {
      asked.push(at);
      return PROOF;
    },
  };
}

/** A tree with one slot, the same after every block. */
function treeReader(): MerkleTreeReader {
  const tree = new StateTree();
  const key = flatKey(EMITTER, SLOT);
  tree.applyWrites([{ key, value: filled(0x99) }]);
  const { root, leafCount } = tree;
  const proofOf = (wanted: Bytes): KeyProof => {
    const index = tree.indexOf(wanted);
    if (index !== undefined) return { kind: 'present', leaf: tree.proof(index) };
    const predecessor = tree.predecessorOf(wanted);
    return {
      kind: 'absent',
      predecessor: tree.proof(predecessor),
      successor: tree.proof(tree.leaf(predecessor).next),
    };
  };
  return {
    version: async () => ({ root, leafCount }),
    proof: async (keys) => ({ root, leafCount, proofs: keys.map(proofOf) }),
    leafProof: async (index) => tree.proof(index),
  };
}

describe('zks methods about batches', () => {
  let chain: FakeChain;
  let test: TestServer | undefined;

  beforeEach(() => {
    chain = new FakeChain();
    chain.addBlock([l2Transaction('0x0', { l2ToL1Logs: [LOG, LOG] })]);
    chain.addBlock([l2Transaction('0x1', { l2ToL1Logs: [LOG] })]);
  });

  afterEach(async () => {
    await test?.server.close({ timeoutMs: 500 });
    test = undefined;
  });

  async function call(method: string, ...params: unknown[]): Promise<Answer> {
    test ??= await startTestServer(chain);
    return test.call(method, ...params);
  }

  async function fails(method: string, params: unknown[], code: number, message: RegExp): Promise<void> {
    const { error } = await call(method, ...params);
    assert.equal(error?.code, code, JSON.stringify(error));
    assert.match(`${error.message} ${JSON.stringify(error.data)}`, message);
  }

  describe('zks_getL2ToL1LogProof', () => {
    it('gives the path behind the word that describes it', async () => {
      const asked: object[] = [];
      chain.batches = batchesOf(2, asked);
      chain.executedBatch = 1;
      const { result } = await call('zks_getL2ToL1LogProof', hashOf('0x0'), 1);
      assert.deepEqual(result, {
        batch_number: 1,
        batchNumber: 1,
        proof: [`0x010f0001${'00'.repeat(28)}`, ...PROOF.path.map((word) => toHex(word))],
        id: 4,
        root: toHex(PROOF.root),
      });
      assert.deepEqual(asked, [{ block: 1, transactionIndex: 0, logIndex: 1 }]);
    });

    it('says what is missing', async () => {
      chain.batches = batchesOf(1, []);
      await fails('zks_getL2ToL1LogProof', [hashOf('0x0'), 0], SERVER_ERROR, /has not been executed yet/);
      await fails('zks_getL2ToL1LogProof', [hashOf('0x1'), 0], SERVER_ERROR, /not been included in an L1 batch yet/);
      await fails(
        'zks_getL2ToL1LogProof',
        [hashOf('0x0'), 2],
        INVALID_PARAMS,
        /log index \(2\) does not exist; there are only 2/,
      );
      await fails('zks_getL2ToL1LogProof', [hashOf('0x0')], INVALID_PARAMS, /./);
      assert.equal((await call('zks_getL2ToL1LogProof', `0x${'77'.repeat(32)}`, 0)).result, null);
    });

    it('knows no transaction above latest, and no batches where none are kept', async () => {
      await fails('zks_getL2ToL1LogProof', [hashOf('0x0'), 0], SERVER_ERROR, /keeps no batches/);
      chain.latest = 0;
      assert.equal((await call('zks_getL2ToL1LogProof', hashOf('0x0'), 0)).result, null);
    });
  });

  describe('zks_getProof', () => {
    it('proves slots that are there and that are not, and what L1 stores', async () => {
      chain.batches = batchesOf(2, []);
      chain.merkleTree = treeReader();
      chain.executedBatch = 2;
      const { result } = await call('zks_getProof', ADDRESS, [toHex(SLOT), toHex(ABSENT_SLOT)], 2);
      const found = result as {
        address: string;
        stateCommitmentPreimage: Record<string, string>;
        storageProofs: { key: string; proof: Record<string, unknown> }[];
        l1VerificationData: Record<string, string>;
      };
      assert.equal(found.address, ADDRESS);
      assert.equal(found.stateCommitmentPreimage['nextFreeSlot'], '0x3');
      assert.equal(found.stateCommitmentPreimage['blockNumber'], '0x2');
      assert.equal(found.stateCommitmentPreimage['lastBlockTimestamp'], `0x${(1_700_000_002).toString(16)}`);
      const [present, absent] = found.storageProofs;
      assert.deepEqual([present?.key, absent?.key], [toHex(SLOT), toHex(ABSENT_SLOT)]);
      assert.equal(present?.proof['type'], 'existing');
      assert.equal(present.proof['index'], '0x2');
      assert.equal(present.proof['value'], toHex(filled(0x99)));
      assert.equal((present.proof['siblings'] as unknown[]).length, 64);
      assert.equal(absent?.proof['type'], 'nonExisting');
      const [left, right] = [absent.proof['leftNeighbor'], absent.proof['rightNeighbor']] as Record<string, string>[];
      const key = toHex(flatKey(EMITTER, ABSENT_SLOT));
      assert.ok(left?.['leafKey'] !== undefined && left['leafKey'] < key);
      assert.ok(right?.['leafKey'] !== undefined && right['leafKey'] > key);
      const info = aCommitInfo({ batchNumber: 2n });
      assert.equal(found.l1VerificationData['commitment'], toHex(storedBatchInfo(info).commitment));
      assert.equal(found.l1VerificationData['batchNumber'], '0x2');
    });

    it('says what is missing', async () => {
      chain.batches = batchesOf(2, []);
      chain.merkleTree = treeReader();
      chain.executedBatch = 1;
      await fails('zks_getProof', [ADDRESS, [], 0], INVALID_PARAMS, /batch 0 is genesis/);
      await fails('zks_getProof', [ADDRESS, [], 2], SERVER_ERROR, /L1 batch 2 has not been executed yet/);
      await fails('zks_getProof', [ADDRESS, [], 3], -32001, /L1 batch 3 not found/);
      await fails('zks_getProof', [ADDRESS, ['0x1g'], 1], INVALID_PARAMS, /./);
      const slots = Array.from({ length: 1_025 }, () => toHex(SLOT));
      await fails('zks_getProof', [ADDRESS, slots, 1], INVALID_PARAMS, /./);
    });

    it('needs the batches and the tree', async () => {
      chain.batches = batchesOf(2, []);
      await fails('zks_getProof', [ADDRESS, [], 1], SERVER_ERROR, /keeps no batches or no state tree/);
    });
  });
});
