/** What the node reads from the development L1 on anvil, and how it explains what is wrong with it. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { getAddress } from 'viem';
import { concatBytes, fromHex, toHex } from '../../src/common/bytes.ts';
import { loadDevelopmentGenesis } from '../../src/genesis/developmentGenesis.ts';
import { developmentUpgrade } from '../../src/genesis/developmentUpgrade.ts';
import { checkGenesisBatch, discoverChain, waitToFinalize } from '../../src/l1/discovery.ts';
import { deposit } from '../../src/l1/deposit.ts';
import { type DeployedL1, startDevelopmentL1 } from '../../src/l1/developmentL1.ts';
import { readGenesisUpgrade } from '../../src/l1/genesisUpgrade.ts';
import { type L1Client, createL1Client, createL1Reader } from '../../src/l1/l1Client.ts';
import { readL1Genesis } from '../../src/l1/l1Genesis.ts';
import { WRAPPED_BASE_TOKEN_ADDRESS } from '../../src/protocol/systemAddresses.ts';
import { type TestL1, deployTestL1, startTestL1 } from './anvilSetup.ts';

const CHAIN_ID = 270n;
const signal = new AbortController().signal;

describe('discovery on L1', function () {
  this.timeout(60_000);
  let l1: TestL1;
  let deployed: DeployedL1;
  const genesis = loadDevelopmentGenesis();

  before(async () => {
    l1 = await startTestL1();
    deployed = await deployTestL1(l1);
  });

  after(async () => {
    await l1.anvil.stop();
  });

  const discover = (bridgehub: string, chainId = CHAIN_ID) =>
    discoverChain(l1.client, { bridgehub: fromHex(bridgehub), chainId });

  it('finds the chain and everything about it', async () => {
    const chain = await discover(deployed.bridgehub);
    assert.deepEqual(
      [chain.l1ChainId, chain.diamond, chain.chainTypeManager, chain.validatorTimelock, chain.pubdataMode],
      [
        31_337n,
        deployed.diamond,
        getAddress(deployed.chainTypeManager),
        getAddress(deployed.validatorTimelock),
        'rollup',
      ],
    );
    assert.deepEqual(chain.batches, { committed: 0n, proved: 0n, executed: 0n });
    checkGenesisBatch(chain, genesis.input.genesisRoot);
    await waitToFinalize(l1.client, chain.diamond, { signal });
  });

  it('explains a wrong Bridgehub, chain or genesis, and an L1 that is not there', async () => {
    for (const address of [`0x${'12'.repeat(20)}`, deployed.validatorTimelock])
      await assert.rejects(discover(address), {
        code: /L1_/,
        message: /getAllZKChainChainIDs|Failed to read L1 state/,
      });
    await assert.rejects(discover(`0x${'12'.repeat(20)}`), {
      code: 'L1_BRIDGEHUB_WRONG',
      message: /getAllZKChainChainIDs of 0x1212.* returned no data/,
    });
    await assert.rejects(discover(deployed.bridgehub, 271n), {
      code: 'L1_CHAIN_NOT_REGISTERED',
      message: /chain ID 271 is not registered on L1: the Bridgehub .* knows 270/,
    });
    const chain = await discover(deployed.bridgehub);
    assert.throws(() => checkGenesisBatch(chain, new Uint8Array(32)), {
      code: 'L1_GENESIS_MISMATCH',
      message: /Genesis state commitment mismatch/,
    });
    const gone = createL1Client({ url: 'http://127.0.0.1:9', signal });
    await assert.rejects(discoverChain(gone, { bridgehub: fromHex(deployed.bridgehub), chainId: CHAIN_ID }), {
      code: 'L1_UNREACHABLE',
      kind: 'retryable',
      message: /Failed to read L1 state/,
    });
  });

  it('refuses a chain whose priority tree does not begin with id 0: its proofs would be for other leaves', async () => {
    const migrated: L1Client = {
      ...l1.client,
      readContract: ((call: { readonly functionName: string }) =>
        call.functionName === 'getPriorityTreeStartIndex'
          ? Promise.resolve(7n)
          : l1.client.readContract(call as never)) as L1Client['readContract'],
    };
    await assert.rejects(discoverChain(migrated, { bridgehub: fromHex(deployed.bridgehub), chainId: CHAIN_ID }), {
      code: 'L1_STATE_INVALID',
      kind: 'fatal',
      message: /priority tree begins with id 7/,
    });
  });

  it('reads the genesis upgrade with the code that it deploys', async () => {
    const { bridgehub } = deployed;
    const chain = await discover(bridgehub);
    const { forceDeployments } = genesis;
    const expected = developmentUpgrade({
      chainId: CHAIN_ID,
      l1ChainId: 31_337n,
      bridgehub: fromHex(bridgehub),
      forceDeployments,
    });
    const upgrade = await readGenesisUpgrade(l1.client, chain.diamond);
    assert.deepEqual(upgrade.transaction, expected);
    assert.deepEqual(
      upgrade.forceDeployPreimages,
      forceDeployments.map(([, code]) => code),
    );
    const forLog = await readL1Genesis(l1.client, chain, genesis.input.genesisRoot);
    assert.deepEqual(forLog.upgradeTransaction, expected.raw);
    await assert.rejects(readL1Genesis(l1.client, chain, new Uint8Array(32)), { code: 'L1_GENESIS_MISMATCH' });
    await assert.rejects(readGenesisUpgrade(l1.client, deployed.validatorTimelock), { code: 'L1_GENESIS_UPGRADE' });
    await assert.rejects(readGenesisUpgrade(l1.client, `0x${'34'.repeat(20)}`), { code: 'L1_GENESIS_UPGRADE' });
  });

  it('creates chains with another upgrade and as validium', async () => {
    const second = await startTestL1();
    try {
      const call = fromHex('0x313ce567');
      const other = await deployTestL1(second, {
        chainId: 8_453n,
        upgrade: { delegate: WRAPPED_BASE_TOKEN_ADDRESS, call, forceDeployments: [] },
      });
      const chain = await discoverChain(second.client, { bridgehub: fromHex(other.bridgehub), chainId: 8_453n });
      const { transaction, forceDeployPreimages } = await readGenesisUpgrade(second.client, chain.diamond);
      const tail = concatBytes(call, new Uint8Array(28));
      assert.equal(toHex(transaction.input.slice(-32)), toHex(tail));
      assert.deepEqual(forceDeployPreimages, []);
    } finally {
      await second.anvil.stop();
    }
  });

  it('reads requests, and how many there were at any block', async () => {
    const before = await l1.client.getBlockNumber();
    const first = await deposit(l1.client, l1.wallet, {
      bridgehub: deployed.bridgehub,
      chainId: CHAIN_ID,
      to: l1.wallet.account.address,
      value: 5n,
    });
    const reader = createL1Reader(l1.client, deployed.diamond);
    const head = await reader.head();
    const [request] = await reader.priorityRequests({ from: 0, to: head.number });
    assert.equal(toHex(request?.transaction.hash ?? new Uint8Array()), first.l2Hash);
    assert.deepEqual(request?.l1Block, head);
    assert.deepEqual(
      [await reader.priorityRequestCount(Number(before)), await reader.priorityRequestCount(head.number)],
      [0n, 1n],
    );
    assert.equal(await reader.priorityRequestCount(1), undefined);
    assert.deepEqual(await reader.block(head.number), head);
  });

  it('refuses a deposit with the reason, before anything is spent', async () => {
    const request = { bridgehub: deployed.bridgehub, chainId: CHAIN_ID, to: l1.wallet.account.address, value: 1n };
    await assert.rejects(deposit(l1.client, l1.wallet, { ...request, gasLimit: 199_999n }), {
      code: 'L1_DEPOSIT_REFUSED',
      message: /at least 200000/,
    });
    await assert.rejects(deposit(l1.client, l1.wallet, { ...request, gasLimit: 72_000_001n }), {
      code: 'L1_DEPOSIT_REFUSED',
      message: /TooMuchGas/,
    });
    await assert.rejects(deposit(l1.client, l1.wallet, { ...request, chainId: 5n }), {
      code: 'L1_DEPOSIT_REFUSED',
      message: /ZKChainNotRegistered/,
    });
  });
});

describe('development L1 of npm start', function () {
  this.timeout(60_000);
  let path = '';

  before(() => {
    path = mkdtempSync(join(tmpdir(), 'reprise-l1-'));
  });

  after(() => {
    rmSync(path, { recursive: true, force: true });
  });

  const start = (chainId = CHAIN_ID) => startDevelopmentL1({ path, port: 0, chainId, signal });

  it('has the same chain and deposits after a restart, and explains another chain id or a lost state', async () => {
    const first = await start();
    const count = async (url: string, diamond: DeployedL1['diamond']) => {
      const reader = createL1Reader(createL1Client({ url, signal }), diamond);
      return reader.priorityRequestCount((await reader.head()).number);
    };
    assert.equal(await count(first.url, first.diamond), 1n);
    await first.anvil.stop();
    const again = await start();
    assert.deepEqual(
      [again.bridgehub, again.diamond, await count(again.url, again.diamond)],
      [first.bridgehub, first.diamond, 1n],
    );
    await again.anvil.stop();
    await assert.rejects(start(271n), { code: 'L1_CHAIN_NOT_REGISTERED', message: /npm run reset/ });
    rmSync(join(path, 'anvil.json'));
    await assert.rejects(start(), { code: 'L1_WAS_RESET', message: /npm run reset/ });
  });
});
