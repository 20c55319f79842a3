/** What the block explorer Otterscan asks of a whole node, in the order in which its pages ask (spec: rpc 13, acceptance X10). */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Address, type Hex, type TransactionReceipt, concatHex, encodeFunctionData, getAddress } from 'viem';
import { addresses } from '../../src/projections/index.ts';
import { projectionDirectory } from '../../src/projections/projectionRunner.ts';
import {
  RICH,
  type ViemClients,
  anAccount,
  rpcFailure,
  submitAll,
  viemClients,
  whenFunded,
} from '../support/clients.ts';
import { testContract } from '../support/contracts.ts';
import {
  NodeProcess,
  freeNodePorts,
  killAllNodes,
  removeFolder,
  rpc,
  runCommand,
  temporaryFolder,
  until,
} from '../support/nodeProcess.ts';

type Json = Readonly<Record<string, unknown>>;
interface Page {
  readonly txs: readonly { readonly hash: Hex; readonly blockNumber: Hex }[];
  readonly receipts: readonly Json[];
  readonly firstPage: boolean;
  readonly lastPage: boolean;
}

/** Deploys with CREATE2 what it is called with, salt 7, and returns the address. */
const FACTORY: Hex = '0x36600060003760073660006000f560005260206000f3';
const RECIPIENT = anAccount().address;
/** Sends on the value it is called with. */
const FORWARDER: Hex = concatHex(['0x60006000600060003473', RECIPIENT, '0x5af100']);

const deploying = (code: Hex): Hex => {
  const size = ((code.length - 2) / 2).toString(16).padStart(2, '0');
  return concatHex([`0x60${size}600c60003960${size}6000f3`, code]);
};
const lower = (address: Address): string => address.toLowerCase();

describe('Otterscan', function () {
  this.timeout(60_000);

  let node: NodeProcess;
  let clients: ViemClients;
  let factory: Address;
  let forwarder: Address;
  let made: Address;
  const receipts: Record<string, TransactionReceipt> = {};

  const ask = <T = Json>(method: string, ...params: readonly unknown[]): Promise<T> =>
    rpc<T>(node.rpcUrl, method, params);

  async function mined(
    name: string,
    transaction: { to?: Address; data?: Hex; value?: bigint },
  ): Promise<TransactionReceipt> {
    const hash = await clients.wallet.sendTransaction({ gas: 2_000_000n, ...transaction });
    return (receipts[name] = await clients.reader.waitForTransactionReceipt({ hash, timeout: 20_000 }));
  }

  async function deployed(name: string, data: Hex): Promise<Address> {
    const { contractAddress } = await mined(name, { data });
    return contractAddress ?? assert.fail(`${name} was not deployed`);
  }

  const hashOf = (name: string): Hex => receipts[name]?.transactionHash ?? assert.fail(`no transaction ${name}`);

  before(async () => {
    node = new NodeProcess({ dataPath: temporaryFolder('otterscan'), ports: await freeNodePorts() });
    node.start();
    await node.whenReady();
    await whenFunded(node.rpcUrl);
    clients = viemClients(node.rpcUrl);
    factory = await deployed('factory', deploying(FACTORY));
    forwarder = await deployed('forwarder', deploying(FORWARDER));
    const { result } = await clients.reader
      .call({ to: factory, data: deploying(FORWARDER) })
      .then(({ data = '0x' }) => ({ result: getAddress(`0x${data.slice(-40)}`) }));
    made = result;
    await mined('make', { to: factory, data: deploying(FORWARDER) });
    await mined('forward', { to: forwarder, value: 7n });
    const reverting = testContract('SimpleRevert');
    const address = await deployed('reverting', reverting.bytecode);
    await mined('revert', {
      to: address,
      data: encodeFunctionData({ abi: reverting.abi, functionName: 'stringRevert' }),
    });
    const emitter = await deployed('emitter', testContract('EventEmitter').bytecode);
    const { abi } = testContract('EventEmitter');
    await mined('emit', { to: emitter, data: encodeFunctionData({ abi, functionName: 'emitEvent', args: [7n] }) });
  });

  after(async () => {
    try {
      assert.equal(await node.stop(), 0);
    } finally {
      await killAllNodes();
      removeFolder(node.dataPath);
    }
  });

  it('finds what it needs when it starts', async () => {
    const number = await ask<Hex>('eth_blockNumber');
    const header = await ask('erigon_getHeaderByNumber', 'latest');
    assert.ok(Number(header['number']) >= Number(number));
    assert.ok((await ask<number>('ots_getApiLevel')) >= 8);
    assert.equal(await ask('eth_chainId'), '0x10e');
  });

  it('X10: pages through blocks without repeats or gaps', async () => {
    const nonce = await clients.reader.getTransactionCount(RICH);
    const raws = await Promise.all(
      Array.from({ length: 7 }, (_, i) =>
        RICH.signTransaction({
          chainId: clients.chain.id,
          nonce: nonce + i,
          to: anAccount().address,
          value: 1n,
          gas: 100_000n,
          maxFeePerGas: 10_000n,
          maxPriorityFeePerGas: 0n,
        }),
      ),
    );
    const hashes = await submitAll(node.rpcUrl, raws);
    const blocks = new Set<bigint>();
    for (const hash of hashes)
      blocks.add((await clients.reader.waitForTransactionReceipt({ hash, timeout: 20_000 })).blockNumber);
    const found: Hex[] = [];
    for (const block of blocks) {
      const details = await ask<{ block: Json; totalFees: Hex }>('ots_getBlockDetails', Number(block));
      const count = Number(details.block['transactionCount']);
      const ofBlock: Hex[] = [];
      for (let page = 0; page * 3 < count; page++) {
        const { fullblock, receipts: ofPage } = await ask<{
          fullblock: { transactions: readonly { hash: Hex }[] };
          receipts: readonly Json[];
        }>('ots_getBlockTransactions', Number(block), page, 3);
        assert.equal(ofPage.length, fullblock.transactions.length);
        ofBlock.unshift(...fullblock.transactions.map(({ hash }) => hash));
      }
      const { transactions } = await ask<{ transactions: Hex[] }>(
        'eth_getBlockByNumber',
        `0x${block.toString(16)}`,
        false,
      );
      assert.deepEqual(ofBlock, transactions);
      assert.ok(BigInt(details.totalFees) > 0n);
      found.push(...ofBlock);
    }
    assert.deepEqual(found.filter((hash) => hashes.includes(hash)).toSorted(), hashes.toSorted());
  });

  it('shows what a transaction did inside', async () => {
    assert.deepEqual(await ask('ots_getInternalOperations', hashOf('forward')), [
      { type: 0, from: lower(forwarder), to: lower(RECIPIENT), value: '0x7' },
    ]);
    assert.deepEqual(await ask('ots_getInternalOperations', hashOf('make')), [
      { type: 3, from: lower(factory), to: lower(made), value: '0x0' },
    ]);
    const calls = await ask<readonly Json[]>('ots_traceTransaction', hashOf('forward'));
    assert.deepEqual(
      calls.map(({ type, depth, value }) => [type, depth, value]),
      [
        ['CALL', 0, '0x7'],
        ['CALL', 1, '0x7'],
      ],
    );
    const error = await ask<Hex>('ots_getTransactionError', hashOf('revert'));
    assert.ok(error.startsWith('0x08c379a0'), error);
    assert.equal(await ask('ots_getTransactionError', hashOf('forward')), '0x');
    assert.deepEqual(await ask('ots_getInternalOperations', hashOf('revert')), []);
  });

  it('shows an address: its code, creator, and transactions page by page', async () => {
    for (const address of [factory, made]) assert.equal(await ask('ots_hasCode', address, 'latest'), true);
    assert.equal(await ask('ots_hasCode', RECIPIENT, 'latest'), false);
    const creators = [
      [factory, hashOf('factory'), RICH.address],
      [made, hashOf('make'), factory],
    ] as const;
    for (const [address, hash, creator] of creators)
      assert.deepEqual(await ask('ots_getContractCreator', address), { hash, creator: lower(creator) });
    assert.equal(await ask('ots_getContractCreator', RECIPIENT), null);
    // One of genesis.
    assert.equal(await ask('ots_getContractCreator', '0x0000000000000000000000000000000000010007'), null);

    const ofFactory = await ask<Page>('ots_searchTransactionsBefore', factory, 0, 25);
    assert.deepEqual(
      ofFactory.txs.map(({ hash }) => hash),
      [hashOf('make'), hashOf('factory')],
    );
    assert.deepEqual([ofFactory.firstPage, ofFactory.lastPage], [true, true]);

    const expected: Hex[] = [];
    const head = Number(await ask<Hex>('eth_blockNumber'));
    for (let block = head; block >= 0; block--) {
      const { transactions } = await ask<{ transactions: readonly { hash: Hex; from: string; to: string | null }[] }>(
        'eth_getBlockByNumber',
        `0x${block.toString(16)}`,
        true,
      );
      for (const { hash, from, to } of transactions.toReversed())
        if (from === lower(RICH.address) || to === lower(RICH.address)) expected.push(hash);
    }
    const found: Hex[] = [];
    let page = await ask<Page>('ots_searchTransactionsBefore', RICH.address, 0, 4);
    assert.equal(page.firstPage, true);
    for (;;) {
      found.push(...page.txs.map(({ hash }) => hash));
      if (page.lastPage) break;
      page = await ask<Page>('ots_searchTransactionsBefore', RICH.address, Number(page.txs.at(-1)?.blockNumber), 4);
    }
    assert.deepEqual(found, expected);
    const oldest = await ask<Page>('ots_searchTransactionsAfter', RICH.address, 0, 4);
    assert.deepEqual([oldest.lastPage, oldest.txs.at(-1)?.hash], [true, expected.at(-1)]);
  });

  it('finds a transaction by sender and nonce as soon as its receipt is there, and in the search', async () => {
    for (let i = 0; i < 5; i++) {
      const nonce = await clients.reader.getTransactionCount(RICH);
      const { transactionHash } = await mined('last', { to: RECIPIENT, value: 1n });
      const page = await ask<Page>('ots_searchTransactionsBefore', RECIPIENT, 0, 1);
      assert.equal(page.txs[0]?.hash, transactionHash);
      assert.equal(await ask('ots_getTransactionBySenderAndNonce', RICH.address, nonce), transactionHash);
    }
  });

  it('does without the searches on a node that keeps no index; reading, verifying and rebuilding it work', async () => {
    assert.equal(await node.stop(), 0);
    const env = { general_rocks_db_path: node.dataPath, development: 'true' };
    for (const command of ['verify', 'rebuild', 'verify']) {
      const { code, stderr, stdout } = await runCommand([command, 'addresses'], env);
      assert.equal(code, 0, `${stdout}${stderr}`);
    }
    const without = new NodeProcess({
      dataPath: node.dataPath,
      ports: node.ports,
      env: { projection_addresses_enabled: 'false' },
    });
    without.start();
    await without.whenReady();
    const failure = await rpcFailure(node.rpcUrl, 'ots_searchTransactionsBefore', [RICH.address, 0, 25]);
    assert.match(failure.message, /^this node keeps no index of addresses/);
    assert.equal((await ask<readonly Json[]>('ots_getInternalOperations', hashOf('forward'))).length, 1);
    assert.equal(await without.stop(), 0);
    node.start();
    await node.whenReady();
    // It was ready before: nothing waits for the index.
    await until('the index has caught up', async () => {
      const page = await ask<Page>('ots_searchTransactionsBefore', RECIPIENT, 0, 25);
      return page.txs.length === 5 ? page : undefined;
    });
    await node.stop();
    // A damaged index stops nothing but the searches.
    const format = join(projectionDirectory(node.dataPath, addresses), 'REPRISE_FORMAT');
    const kept = readFileSync(format);
    writeFileSync(format, '0\n');
    node.start();
    await node.whenReady();
    const failed = await until('the index has failed', async () => {
      const { projections } = (await node.status()) as { projections: Record<string, Json> };
      return projections['addresses']?.['state'] === 'failed' ? projections['addresses'] : undefined;
    });
    assert.match(String(failed['problem']), /reprise rebuild|older|format/);
    const refused = await rpcFailure(node.rpcUrl, 'ots_searchTransactionsBefore', [RECIPIENT, 0, 25]);
    assert.match(refused.message, /^the index of addresses is at block 0 of/);
    await node.stop();
    writeFileSync(format, kept);
    node.start();
    await node.whenReady();
    const { projections } = (await node.status()) as { projections: Record<string, Json> };
    assert.ok(['live', 'catching_up'].includes(String(projections['addresses']?.['state'])));
  });
});
