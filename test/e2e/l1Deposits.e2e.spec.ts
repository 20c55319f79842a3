/** Deposits of every kind, from the Bridgehub on anvil to the receipt on L2. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'mocha';
import { type Address, type Hex, decodeFunctionResult, encodeFunctionData, parseAbi, parseEther, toHex } from 'viem';
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts';
import { compileFolder } from '../../contracts/compile.ts';
import { fromHex, toHex as bytesToHex } from '../../src/common/bytes.ts';
import { decodeEntry } from '../../src/log/entryCodec.ts';
import { developmentContract } from '../../src/l1/developmentL1.ts';
import { l1AddressToAlias } from '../../src/protocol/addressAlias.ts';
import {
  CHAIN_ID,
  type L1Node,
  balanceOf,
  depositTo,
  fundRich,
  priorityTransactions,
  receiptOf,
  startL1Node,
} from '../l1/l1Node.ts';
import { RICH, anAccount, viemClients } from '../support/clients.ts';
import { testContract } from '../support/contracts.ts';
import { logPath, readEmbeddedLog } from '../support/embeddedLogs.ts';
import { initCodeOf } from '../support/factories.ts';
import { killAllNodes, removeFolder, rpc, runCommand, until } from '../support/nodeProcess.ts';

const WRAPPED: Address = '0x0000000000000000000000000000000000010007';
const CHAIN_INFO: Address = '0x0000000000000000000000000000000000010020';
const BOOTLOADER = '0x0000000000000000000000000000000000008001';

describe('deposits from L1', function () {
  this.timeout(120_000);
  let l1Node: L1Node;
  let url: string;

  before(async () => {
    l1Node = await startL1Node({ env: { sequencer_fee_collector_address: `0x${'fe'.repeat(20)}` } });
    url = l1Node.node.rpcUrl;
    await fundRich(l1Node);
  });

  after(async () => {
    await killAllNodes();
    await l1Node?.l1.anvil.stop();
    removeFolder(l1Node.node.dataPath);
  });

  /** What every receipt of a priority transaction says, besides its status. */
  async function checkReceipt(hash: Hex, status: '0x1' | '0x0') {
    const receipt = await receiptOf(url, hash);
    assert.deepEqual([receipt.status, receipt.type, receipt.contractAddress], [status, '0x7f', null]);
    const log = receipt.l2ToL1Logs.at(-1);
    assert.deepEqual(
      [log?.sender, log?.key, BigInt(log?.value ?? 2), log?.is_service],
      [BOOTLOADER, hash, BigInt(status), true],
    );
    const transaction = await rpc<Record<string, Hex>>(url, 'eth_getTransactionByHash', [hash]);
    assert.equal(receipt.effectiveGasPrice, transaction['maxFeePerGas']);
    const price = BigInt(receipt.effectiveGasPrice);
    return { receipt, transaction, fee: BigInt(receipt.gasUsed) * price, price };
  }

  async function deployOnL2(bytecode: Hex): Promise<Address> {
    const { wallet, reader } = viemClients(url);
    const hash = await wallet.sendTransaction({ data: bytecode, gas: 3_000_000n });
    const { contractAddress } = await reader.waitForTransactionReceipt({ hash, timeout: 10_000 });
    assert.ok(contractAddress);
    return contractAddress;
  }

  it('began with the genesis upgrade of L1, which deployed a contract and told it about L1', async () => {
    const abi = parseAbi([
      'function bridgehub() view returns (address)',
      'function l1ChainId() view returns (uint256)',
    ]);
    const { reader } = viemClients(url);
    assert.notEqual(await rpc(url, 'eth_getCode', [CHAIN_INFO, 'latest']), '0x');
    const bridgehub = await reader.readContract({ address: CHAIN_INFO, abi, functionName: 'bridgehub' });
    assert.equal(bridgehub.toLowerCase(), l1Node.deployed.bridgehub.toLowerCase());
    assert.equal(await reader.readContract({ address: CHAIN_INFO, abi, functionName: 'l1ChainId' }), 31_337n);
    assert.equal(await rpc(url, 'zks_getBridgehubContract'), l1Node.deployed.bridgehub.toLowerCase());
    const block = await rpc<{ transactions: { type: Hex }[] }>(url, 'eth_getBlockByNumber', ['0x1', true]);
    assert.equal(block.transactions[0]?.type, '0x7e');
  });

  it('mints the value to the sender, moves it to the recipient, and refunds what was not used', async () => {
    const [to, refundRecipient] = [anAccount().address, anAccount().address];
    const value = parseEther('1.5');
    const { l2Hash, priorityId, mintValue } = await depositTo(l1Node, to, value, {
      refundRecipient,
      extra: 12_345n,
    });
    const { transaction, fee } = await checkReceipt(l2Hash, '0x1');
    assert.equal(await balanceOf(url, to), value);
    assert.equal(await balanceOf(url, refundRecipient), mintValue - value - fee);
    const sender = l1Node.l1.wallet.account.address.toLowerCase();
    assert.deepEqual(
      {
        ...transaction,
        blockHash: undefined,
        blockNumber: undefined,
        transactionIndex: undefined,
        maxFeePerGas: undefined,
        gasPrice: undefined,
      },
      {
        type: '0x7f',
        hash: l2Hash,
        initiator: sender,
        from: sender,
        to: to.toLowerCase(),
        gas: toHex(500_000n),
        gasPerPubdataByteLimit: '0x320',
        maxPriorityFeePerGas: '0x0',
        nonce: toHex(priorityId),
        value: toHex(value),
        toMint: toHex(mintValue),
        refundRecipient: refundRecipient.toLowerCase(),
        input: '0x',
        factoryDeps: [],
        v: '0x0',
        r: `0x${'0'.repeat(64)}`,
        s: `0x${'0'.repeat(64)}`,
        yParity: '0x0',
        blockHash: undefined,
        blockNumber: undefined,
        transactionIndex: undefined,
        maxFeePerGas: undefined,
        gasPrice: undefined,
      },
    );
    assert.equal(transaction['gasPrice'], transaction['maxFeePerGas']);
    const raw = await rpc<Hex>(url, 'eth_getRawTransactionByHash', [l2Hash]);
    assert.ok(raw.startsWith('0x7f'));
  });

  it('pays the operator what it used', async () => {
    const collector: Address = `0x${'fe'.repeat(20)}`;
    const before = await balanceOf(url, collector);
    const { l2Hash } = await depositTo(l1Node, anAccount().address, 1n);
    const { fee } = await checkReceipt(l2Hash, '0x1');
    assert.equal((await balanceOf(url, collector)) - before, fee);
  });

  it('includes a call that fails, takes the mint back, and refunds all but the fee', async () => {
    const { abi, bytecode } = testContract('SimpleRevert');
    const target = await deployOnL2(bytecode);
    const refundRecipient = anAccount().address;
    const [name] = abi.filter((item) => item.type === 'function').map((item) => item.name);
    assert.ok(name);
    const { l2Hash, mintValue } = await depositTo(l1Node, target, parseEther('1'), {
      data: encodeFunctionData({ abi, functionName: name }),
      refundRecipient,
    });
    const { fee, receipt } = await checkReceipt(l2Hash, '0x0');
    assert.deepEqual(receipt.logs, []);
    assert.equal(await balanceOf(url, target), 0n);
    assert.equal(await balanceOf(url, refundRecipient), mintValue - fee);
  });

  it('includes a call whose gas limit is too small, which uses all of it', async () => {
    // JUMPDEST, PUSH0, JUMP: for ever
    const target = await deployOnL2(bytesToHex(initCodeOf(Uint8Array.of(0x5b, 0x5f, 0x56))));
    const refundRecipient = anAccount().address;
    const { l2Hash, mintValue } = await depositTo(l1Node, target, 5n, { gasLimit: 200_000n, refundRecipient });
    const { receipt, price } = await checkReceipt(l2Hash, '0x0');
    assert.equal(BigInt(receipt.gasUsed), 200_000n);
    assert.equal(await balanceOf(url, refundRecipient), mintValue - 200_000n * price);
    await assert.rejects(depositTo(l1Node, target, 5n, { gasLimit: 199_999n }), { code: 'L1_DEPOSIT_REFUSED' });
  });

  it('includes a deposit of nothing', async () => {
    const refundRecipient = anAccount().address;
    const { l2Hash, mintValue } = await depositTo(l1Node, anAccount().address, 0n, { refundRecipient });
    const { fee } = await checkReceipt(l2Hash, '0x1');
    assert.equal(await balanceOf(url, refundRecipient), mintValue - fee);
  });

  it('calls a contract with what was deposited', async () => {
    const abi = parseAbi([
      'function deposit() payable',
      'function balanceOf(address) view returns (uint256)',
      'event Deposit(address indexed to, uint256 amount)',
    ]);
    const { l2Hash } = await depositTo(l1Node, WRAPPED, 777n, {
      data: encodeFunctionData({ abi, functionName: 'deposit' }),
    });
    const { receipt } = await checkReceipt(l2Hash, '0x1');
    assert.equal(receipt.logs.length, 1);
    const data = encodeFunctionData({
      abi,
      functionName: 'balanceOf',
      args: [l1Node.l1.wallet.account.address],
    });
    const returned = await rpc<Hex>(url, 'eth_call', [{ to: WRAPPED, data }, 'latest']);
    assert.equal(decodeFunctionResult({ abi, functionName: 'balanceOf', data: returned }), 777n);
  });

  it('knows an L1 contract under its alias', async () => {
    const { l1, deployed } = l1Node;
    const forwarder = compileFolder('test').get('CallForwarder');
    assert.ok(forwarder);
    const deployHash = await l1.wallet.sendTransaction({ data: bytesToHex(forwarder.initCode) });
    const { contractAddress } = await l1.client.waitForTransactionReceipt({ hash: deployHash, pollingInterval: 20 });
    assert.ok(contractAddress);
    const to = anAccount().address;
    const mintValue = parseEther('1');
    const request = encodeFunctionData({
      abi: developmentContract('Bridgehub').abi,
      functionName: 'requestL2TransactionDirect',
      args: [
        {
          chainId: CHAIN_ID,
          mintValue,
          l2Contract: to,
          l2Value: 9n,
          l2Calldata: '0x',
          l2GasLimit: 300_000n,
          l2GasPerPubdataByteLimit: 800n,
          factoryDeps: [],
          refundRecipient: '0x0000000000000000000000000000000000000000',
        },
      ],
    });
    const hash = await l1.wallet.writeContract({
      address: contractAddress,
      abi: parseAbi(['function forward(address target, bytes data) payable returns (bytes)']),
      functionName: 'forward',
      args: [deployed.bridgehub, request],
      value: mintValue,
    });
    const receipt = await l1.client.waitForTransactionReceipt({ hash, pollingInterval: 20 });
    const l2Hash = receipt.logs.find(({ address }) => address === deployed.diamond.toLowerCase())?.data.slice(66, 130);
    const { transaction, fee } = await checkReceipt(`0x${l2Hash}`, '0x1');
    const alias = bytesToHex(l1AddressToAlias(fromHex(contractAddress)));
    assert.deepEqual([transaction['from'], transaction['refundRecipient']], [alias, alias]);
    assert.equal(await balanceOf(url, to), 9n);
    assert.equal(await balanceOf(url, alias), mintValue - 9n - fee);
  });

  it('takes what an estimate of type 0x7f says', async () => {
    const to = anAccount().address;
    const from = l1Node.l1.wallet.account.address;
    const estimate = await rpc<Hex>(url, 'eth_estimateGas', [{ type: '0x7f', from, to, value: '0x5' }, 'latest']);
    const { l2Hash } = await depositTo(l1Node, to, 5n, { gasLimit: BigInt(estimate) });
    await checkReceipt(l2Hash, '0x1');
  });

  it('is made by `reprise deposit`', async () => {
    const to = anAccount().address;
    const args = ['deposit', '--to', to, '--amount', '0.25', '--json'];
    const env = { rpc_address: url.slice('http://'.length), general_l1_rpc_url: l1Node.l1.url };
    const { code, stdout, stderr } = await runCommand(args, env);
    assert.equal(code, 0, stderr);
    const { status, value } = JSON.parse(stdout) as { status: string; value: string };
    assert.deepEqual([status, BigInt(value)], ['succeeded', parseEther('0.25')]);
    assert.equal(await balanceOf(url, to), parseEther('0.25'));
    const key = generatePrivateKey();
    const payer = privateKeyToAccount(key).address;
    await l1Node.l1.test.setBalance({ address: payer, value: parseEther('10') });
    const own = await runCommand(args, { ...env, deposit_private_key: key });
    assert.equal(own.code, 0, own.stderr);
    assert.equal(await l1Node.l1.client.getTransactionCount({ address: payer }), 1);
    const refused = await runCommand([...args.slice(0, -1), '--gas-limit', '100000'], env);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /needs at least 200000/);
  });

  it('is waited for by `reprise deposit` while the node is away for a moment', async () => {
    let refusals = 0;
    const proxy = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const body = Buffer.concat(chunks).toString('utf8');
        if (body.includes('eth_getTransactionReceipt') && refusals++ < 3) return void response.destroy();
        const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body };
        void fetch(url, init).then(async (answer) => response.end(await answer.text()));
      });
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    try {
      const { port } = proxy.address() as AddressInfo; // it listens on TCP
      const env = { rpc_address: `127.0.0.1:${port}`, general_l1_rpc_url: l1Node.l1.url };
      const args = ['deposit', '--to', anAccount().address, '--amount', '0.25', '--json'];
      const { code, stdout, stderr } = await runCommand(args, env);
      assert.equal(code, 0, stderr);
      assert.equal((JSON.parse(stdout) as { status: string }).status, 'succeeded');
      assert.ok(refusals > 3);
    } finally {
      proxy.close();
    }
  });

  it('includes 100 deposits of one L1 block, in their order', async () => {
    const { l1 } = l1Node;
    const first = BigInt((await priorityTransactions(url)).length);
    const to = anAccount().address;
    await l1.test.setAutomine(false);
    try {
      const nonce = await l1.client.getTransactionCount({ address: l1.wallet.account.address });
      const sent: Hex[] = [];
      for (let i = 0; i < 100; i++) sent.push(await sendDeposit(to, BigInt(i), nonce + i));
      await l1.test.mine({ blocks: 1 });
      const receipts = await Promise.all(sent.map((hash) => l1.client.getTransactionReceipt({ hash })));
      assert.equal(new Set(receipts.map(({ blockNumber }) => blockNumber)).size, 1);
    } finally {
      await l1.test.setAutomine(true);
    }
    const included = await until('all are included', async () => {
      const found = await priorityTransactions(url);
      return found.length >= Number(first) + 100 ? found : undefined;
    });
    assert.deepEqual(
      included.map(({ nonce }) => Number(nonce)),
      included.map((_transaction, i) => i),
    );
    assert.deepEqual(
      included.slice(-100).map((transaction) => BigInt(transaction['value'] as Hex)),
      Array.from({ length: 100 }, (_, i) => BigInt(i)),
    );
  });

  async function sendDeposit(to: Address, value: bigint, nonce: number): Promise<Hex> {
    const { l1, deployed } = l1Node;
    const mintValue = parseEther('1') + value;
    return l1.wallet.writeContract({
      address: deployed.bridgehub,
      abi: developmentContract('Bridgehub').abi,
      functionName: 'requestL2TransactionDirect',
      args: [
        {
          chainId: CHAIN_ID,
          mintValue,
          l2Contract: to,
          l2Value: value,
          l2Calldata: '0x',
          l2GasLimit: 300_000n,
          l2GasPerPubdataByteLimit: 800n,
          factoryDeps: [],
          refundRecipient: to,
        },
      ],
      value: mintValue,
      nonce,
      gas: 400_000n,
      maxFeePerGas: 10n ** 10n,
      maxPriorityFeePerGas: 1n,
    });
  }

  it('mixes deposits with 1,000 L2 transactions: each exactly once, deposits in their order', async () => {
    const before = (await priorityTransactions(url)).length;
    const { wallet, reader } = viemClients(url);
    const to = anAccount().address;
    const nonce = await reader.getTransactionCount({ address: RICH.address });
    const signed = await Promise.all(
      Array.from({ length: 1_000 }, (_, i) =>
        wallet.signTransaction({
          to,
          value: 1n,
          nonce: nonce + i,
          gas: 21_000n,
          maxFeePerGas: 10n ** 9n,
          maxPriorityFeePerGas: 1n,
          type: 'eip1559',
        }),
      ),
    );
    const l1Nonce = await l1Node.l1.client.getTransactionCount({ address: l1Node.l1.wallet.account.address });
    const deposits = (async () => {
      for (let i = 0; i < 40; i++) await sendDeposit(anAccount().address, 3n, l1Nonce + i);
    })();
    for (let i = 0; i < signed.length; i += 100)
      await Promise.all(signed.slice(i, i + 100).map((raw) => rpc(url, 'eth_sendRawTransaction', [raw])));
    await deposits;
    await until('everything is included', async () => {
      const done = await reader.getTransactionCount({ address: RICH.address });
      return done === nonce + 1_000 && (await priorityTransactions(url)).length === before + 40 ? true : undefined;
    });
    assert.equal(await balanceOf(url, to), 1_000n);
    const ids = (await priorityTransactions(url)).map((transaction) => Number(transaction.nonce));
    assert.deepEqual(
      ids,
      ids.map((_id, i) => i),
    );
  });

  it('goes on with the next request after a restart, and loses none made meanwhile', async () => {
    const before = (await priorityTransactions(url)).length;
    assert.equal(await l1Node.node.stop(), 0);
    const to = anAccount().address;
    const { l2Hash } = await depositTo(l1Node, to, 4n);
    l1Node.node.start();
    await l1Node.node.whenReady();
    await receiptOf(url, l2Hash);
    const after = await priorityTransactions(url);
    assert.equal(after.length, before + 1);
    assert.equal(after.at(-1)?.hash, l2Hash);
    const status = await l1Node.node.status();
    assert.deepEqual([status['priorityTransactions'], status['l1Problem']], ['checked', undefined]);
  });

  it('names the diamond proxy of its L1 in every seal', async () => {
    const { node, deployed } = l1Node;
    await until('a batch is sealed', async () => {
      const { sealed, checked } = (await node.status())['batches'] as { sealed: number; checked: number };
      return sealed > 0 && checked === sealed ? true : undefined;
    });
    assert.equal(await node.stop(), 0);
    const entries = (await readEmbeddedLog(logPath(node.dataPath))).map(({ schema, bytes }) =>
      decodeEntry(schema, bytes),
    );
    const addresses = entries.flatMap((entry) =>
      entry?.kind === 'BatchSealed' ? [bytesToHex(entry.commitInfo.chainAddress)] : [],
    );
    assert.ok(addresses.length > 0);
    assert.deepEqual([...new Set(addresses)], [deployed.diamond.toLowerCase()]);
  });
});
