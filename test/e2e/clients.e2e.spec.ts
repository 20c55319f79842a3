import assert from 'node:assert/strict';
import { Contract, ContractFactory, Wallet, isCallException } from 'ethers';
import {
  type Address,
  BaseError,
  ContractFunctionRevertedError,
  type Hex,
  encodeAbiParameters,
  encodeDeployData,
  encodeFunctionData,
  getAddress,
  getContract,
  keccak256,
  pad,
  parseAbi,
  parseEther,
  parseEventLogs,
  toFunctionSelector,
  toHex as toHexQuantity,
} from 'viem';
import {
  CHAIN_ID,
  RICH,
  RICH_KEY,
  type ViemClients,
  anAccount,
  anL1Request,
  cast,
  ethersProvider,
  requestOnL1,
  rpcBatch,
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
  temporaryFolder,
  until,
} from '../support/nodeProcess.ts';

const TOKEN_ABI = parseAbi([
  'constructor(uint256 initialSupply, string name, string symbol)',
  'function balanceOf(address) view returns (uint256)',
  'function transfer(address to, uint256 value) returns (bool)',
  'event Transfer(address indexed from, address indexed to, uint256 value)',
  'error InsufficientBalance(address owner, uint256 balance, uint256 needed)',
]);
const SUPPLY = 1_000_000n;
const RECIPIENT: Address = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8';
const BASE_TOKEN: Address = '0x000000000000000000000000000000000000800a';
const L1_MESSENGER: Address = '0x0000000000000000000000000000000000008008';
const BOOTLOADER = '0x0000000000000000000000000000000000008001';
const ONE_WORD = pad('0x1');
const ZERO_WORD = pad('0x0');

type JsonRecord = Record<string, unknown>;

let node: NodeProcess;
let url: string;
let viem: ViemClients;

async function startNode(env: Readonly<Record<string, string>> = {}): Promise<NodeProcess> {
  const started = new NodeProcess({
    dataPath: temporaryFolder('clients'),
    ports: await freeNodePorts(),
    // Fees go to an account of their own, so that they never distort a balance.
    env: { sequencer_fee_collector_address: anAccount().address, ...env },
  });
  started.start();
  await started.whenReady();
  await whenFunded(started.rpcUrl);
  return started;
}

/** Mined, whether it succeeded or not. */
function receiptOf(hash: Hex) {
  return viem.reader.waitForTransactionReceipt({ hash, timeout: 20_000 });
}

async function deploy(name: Parameters<typeof testContract>[0], args: readonly unknown[] = []) {
  const { abi, bytecode } = testContract(name);
  const receipt = await receiptOf(await viem.wallet.deployContract({ abi, bytecode, args }));
  assert.equal(receipt.status, 'success');
  const address = receipt.contractAddress;
  assert.ok(address);
  return { address, receipt };
}

/** Transfers from the rich account and waits. */
async function fund(to: Address, value: bigint): Promise<void> {
  const { status } = await receiptOf(await viem.wallet.sendTransaction({ to, value }));
  assert.equal(status, 'success');
}

async function rawReceipt(hash: Hex): Promise<JsonRecord> {
  return until(
    'the receipt',
    async () => (await rpc<JsonRecord | null>(url, 'eth_getTransactionReceipt', [hash])) ?? undefined,
  );
}

describe('clients', function () {
  this.timeout(60_000);

  before(async () => {
    node = await startNode();
    url = node.rpcUrl;
    viem = viemClients(url);
  });
  after(async () => {
    try {
      assert.equal(await node.stop(), 0);
    } finally {
      await killAllNodes();
      removeFolder(node.dataPath);
    }
  });

  it('indexes an L2 transaction by sender and nonce although a deposit of the same account has that queue id (X8)', async () => {
    const account = anAccount();
    const [deposit] = requestOnL1(node.dataPath, [
      anL1Request(account.address, account.address, { value: parseEther('1') }),
    ]);
    assert.ok(deposit);
    assert.equal((await rawReceipt(deposit.hash))['status'], '0x1');
    const count = Number(deposit.id) + 1;
    const fields = { chainId: CHAIN_ID, type: 'legacy', gas: 100_000n, gasPrice: 10_000n, to: RECIPIENT } as const;
    const raws = await Promise.all(
      Array.from({ length: count }, (_value, nonce) => account.signTransaction({ ...fields, nonce })),
    );
    const hash = (await submitAll(url, raws)).at(-1);
    assert.ok(hash);
    await rawReceipt(hash);
    const found = await rpc<JsonRecord>(url, 'eth_getTransactionBySenderAndNonce', [
      account.address,
      toHexQuantity(deposit.id),
    ]);
    assert.deepEqual([found['hash'], found['type']], [hash, '0x0']);
    const priority = await rpc<JsonRecord>(url, 'eth_getTransactionByHash', [deposit.hash]);
    assert.deepEqual([priority['from'], priority['nonce']], [account.address.toLowerCase(), toHexQuantity(deposit.id)]);
  });

  describe('an ERC-20', () => {
    it('is deployed, transferred, read and refused by viem', async () => {
      const { abi, bytecode } = testContract('TestERC20');
      const { reader, wallet } = viem;
      const deployment = await receiptOf(await wallet.deployContract({ abi, bytecode, args: [SUPPLY, 'Viem', 'VIE'] }));
      assert.ok(deployment.contractAddress);
      const token = getContract({
        address: deployment.contractAddress,
        abi: TOKEN_ABI,
        client: { public: reader, wallet },
      });
      const transfer = await receiptOf(await token.write.transfer([RECIPIENT, 40n]));
      assert.equal(transfer.status, 'success');
      assert.deepEqual(
        [await token.read.balanceOf([RECIPIENT]), await token.read.balanceOf([RICH.address])],
        [40n, SUPPLY - 40n],
      );
      const expected = [{ from: RICH.address, to: RECIPIENT, value: 40n }];
      assert.deepEqual(
        parseEventLogs({ abi: TOKEN_ABI, logs: transfer.logs }).map(({ args }) => args),
        expected,
      );
      const found = await reader.getContractEvents({
        address: token.address,
        abi: TOKEN_ABI,
        eventName: 'Transfer',
        args: { to: RECIPIENT },
        fromBlock: 0n,
      });
      assert.deepEqual(
        found.map(({ args }) => args),
        expected,
      );
      assert.equal(found[0]?.transactionHash, transfer.transactionHash);

      const refused = await token.simulate.transfer([RECIPIENT, SUPPLY], { account: RICH }).then(
        () => undefined,
        (error: unknown) => error,
      );
      assert.ok(refused instanceof BaseError);
      const revert = refused.walk((error) => error instanceof ContractFunctionRevertedError);
      assert.ok(revert instanceof ContractFunctionRevertedError);
      assert.equal(revert.data?.errorName, 'InsufficientBalance');
      assert.deepEqual(revert.data.args, [RICH.address, SUPPLY - 40n, SUPPLY]);
    });

    it('is deployed, transferred, read and refused by ethers', async () => {
      const provider = ethersProvider(url);
      try {
        const { abi, bytecode } = testContract('TestERC20');
        const wallet = new Wallet(RICH_KEY, provider);
        const factory = new ContractFactory(JSON.stringify(abi), bytecode, wallet);
        const deployed = await factory.deploy(SUPPLY, 'Ethers', 'ETS');
        await deployed.waitForDeployment();
        const token = new Contract(await deployed.getAddress(), JSON.stringify(abi), wallet);
        const method = (name: string) => token.getFunction(name);
        const receipt = await (await method('transfer').send(RECIPIENT, 40n)).wait();
        assert.equal(receipt?.status, 1);
        assert.deepEqual(
          [await method('balanceOf')(RECIPIENT), await method('balanceOf')(RICH.address)],
          [40n, SUPPLY - 40n],
        );
        const found = await token.queryFilter(token.getEvent('Transfer')(undefined, RECIPIENT), 0);
        assert.deepEqual(
          found.map(({ transactionHash }) => transactionHash),
          [receipt?.hash],
        );
        const parsed = found[0] === undefined ? null : token.interface.parseLog(found[0]);
        assert.deepEqual([...(parsed?.args ?? [])], [RICH.address, RECIPIENT, 40n]);

        await assert.rejects(method('transfer').staticCall(RECIPIENT, SUPPLY), (error: unknown) => {
          assert.ok(isCallException(error));
          const { revert } = error as { revert?: { name: string; args: readonly unknown[] } }; // CALL_EXCEPTION carries it
          assert.equal(revert?.name, 'InsufficientBalance');
          assert.deepEqual([...revert.args], [RICH.address, SUPPLY - 40n, SUPPLY]);
          return true;
        });
      } finally {
        provider.destroy();
      }
    });

    it('is deployed, transferred, read and refused by cast', async () => {
      const { bytecode } = testContract('TestERC20');
      const initCode = encodeDeployData({ abi: TOKEN_ABI, bytecode, args: [SUPPLY, 'Cast', 'CST'] });
      const send = async (...args: readonly string[]): Promise<JsonRecord> => {
        const { code, stdout, stderr } = await cast(url, ['send', '--json', '--private-key', RICH_KEY, ...args]);
        assert.equal(code, 0, stderr);
        return JSON.parse(stdout) as JsonRecord;
      };
      const token = (await send('--create', initCode))['contractAddress'];
      assert.ok(typeof token === 'string');
      const transfer = await send(token, 'transfer(address,uint256)', RECIPIENT, '40');
      assert.equal(transfer['status'], '0x1');
      const balance = await cast(url, ['call', token, 'balanceOf(address)(uint256)', RECIPIENT]);
      assert.equal(balance.stdout, '40');
      const logs = await cast(url, [
        'logs',
        '--json',
        '--from-block',
        '0',
        '--address',
        token,
        'Transfer(address,address,uint256)',
      ]);
      const found = JSON.parse(logs.stdout) as { data: Hex; transactionHash: Hex }[];
      assert.deepEqual(
        found.map(({ data }) => BigInt(data)),
        [SUPPLY, 40n],
      );
      assert.equal(found[1]?.transactionHash, transfer['transactionHash']);

      const refused = await cast(url, [
        'call',
        '--from',
        RICH.address,
        token,
        'transfer(address,uint256)',
        RECIPIENT,
        String(SUPPLY),
      ]);
      const data = encodeAbiParameters(
        [{ type: 'address' }, { type: 'uint256' }, { type: 'uint256' }],
        [RICH.address, SUPPLY - 40n, SUPPLY],
      );
      assert.notEqual(refused.code, 0);
      assert.match(refused.stderr, /execution reverted/);
      assert.ok(
        refused.stderr.includes(toFunctionSelector('InsufficientBalance(address,uint256,uint256)') + data.slice(2)),
        refused.stderr,
      );
    });
  });

  describe('transactions', () => {
    it('queue behind a nonce gap and are mined when it closes', async () => {
      const account = anAccount();
      await fund(account.address, parseEther('1'));
      const signed = (nonce: number) =>
        account.signTransaction({
          chainId: CHAIN_ID,
          type: 'eip1559',
          nonce,
          gas: 100_000n,
          maxFeePerGas: 10_000n,
          maxPriorityFeePerGas: 0n,
          to: RECIPIENT,
          value: 1n,
        });
      const gapped = await submitAll(url, [await signed(2), await signed(1)]);
      assert.deepEqual(await rpc(url, 'txpool_status'), { pending: '0x0', queued: '0x2' });
      assert.equal(await rpc(url, 'eth_getTransactionCount', [account.address, 'pending']), '0x0');
      const queued = await rpc<JsonRecord>(url, 'eth_getTransactionByHash', [gapped[0]]);
      assert.deepEqual(
        [queued['blockNumber'], queued['blockHash'], queued['transactionIndex'], queued['nonce']],
        [null, null, null, '0x2'],
      );
      const filler = await submitAll(url, [await signed(0)]);
      const receipts = await Promise.all([...filler, ...gapped].map(receiptOf));
      assert.deepEqual(
        receipts.map(({ status }) => status),
        ['success', 'success', 'success'],
      );
      const order = receipts.map(
        ({ blockNumber, transactionIndex }) => Number(blockNumber) * 10_000 + transactionIndex,
      );
      assert.ok(
        (order[0] ?? 0) < (order[2] ?? 0) && (order[2] ?? 0) < (order[1] ?? 0),
        'mined in the order of their nonces',
      );
      assert.equal(await rpc(url, 'eth_getTransactionCount', [account.address, 'latest']), '0x3');
    });

    it('are refused with the words that clients classify by', async () => {
      const account = anAccount();
      const fields = {
        chainId: CHAIN_ID,
        gas: 100_000n,
        maxFeePerGas: 10_000n,
        maxPriorityFeePerGas: 0n,
        to: RECIPIENT,
        value: 1n,
        type: 'eip1559',
      } as const;
      const refusal = async (raw: Hex) => rpcFailure(url, 'eth_sendRawTransaction', [raw]);
      assert.match(
        (await refusal(await account.signTransaction({ ...fields, nonce: 0 }))).message,
        /^insufficient funds for gas \* price \+ value/,
      );
      const low = await refusal(await RICH.signTransaction({ ...fields, nonce: 0 }));
      assert.deepEqual([low.code, low.message.startsWith('nonce too low')], [1, true]);
      assert.match(
        (await refusal(await RICH.signTransaction({ ...fields, nonce: 99, chainId: 271 }))).message,
        /^invalid chain id for signer/,
      );
      assert.match((await refusal('0x02c0')).message, /^failed to decode signed transaction/);
      await assert.rejects(
        viemClients(url, account).wallet.sendTransaction({ to: RECIPIENT, value: 1n }),
        /insufficient funds|exceeds the balance/,
      );
    });

    it('of 100 transfers sent without waiting arrive all (R5)', async () => {
      const account = anAccount();
      await fund(account.address, parseEther('1'));
      const before = await viem.reader.getBalance({ address: account.address });
      const recipients = Array.from({ length: 100 }, () => anAccount().address);
      const raws = await Promise.all(
        recipients.map((to, nonce) =>
          account.signTransaction({
            chainId: CHAIN_ID,
            type: 'eip1559',
            nonce,
            gas: 100_000n,
            maxFeePerGas: 10_000n,
            maxPriorityFeePerGas: 1n,
            to,
            value: 100n,
          }),
        ),
      );
      const receipts = await Promise.all((await submitAll(url, raws)).map(receiptOf));
      assert.ok(receipts.every(({ status }) => status === 'success'));
      const balances = await Promise.all(recipients.map((address) => viem.reader.getBalance({ address })));
      assert.ok(balances.every((balance) => balance === 100n));
      assert.ok(before - (await viem.reader.getBalance({ address: account.address })) > 100n * 100n);
    });

    it('of type 1 with an access list succeed (R6)', async () => {
      const accessList = [{ address: RECIPIENT, storageKeys: [ZERO_WORD] }];
      const hash = await viem.wallet.sendTransaction({
        type: 'eip2930',
        accessList,
        to: RECIPIENT,
        value: 1n,
        gasPrice: 2_000n,
      });
      const receipt = await receiptOf(hash);
      assert.deepEqual([receipt.status, receipt.type, receipt.effectiveGasPrice], ['success', 'eip2930', 2_000n]);
      const transaction = await viem.reader.getTransaction({ hash });
      assert.deepEqual(
        [transaction.type, transaction.accessList],
        ['eip2930', [{ address: RECIPIENT.toLowerCase(), storageKeys: [ZERO_WORD] }]],
      );
    });

    it('wait for funds and are mined without being sent again (M1)', async () => {
      const bob = anAccount();
      const [gas, price, value] = [100_000n, await viem.reader.getGasPrice(), 100n];
      const first = await bob.signTransaction({
        chainId: CHAIN_ID,
        type: 'legacy',
        nonce: 0,
        gas,
        gasPrice: price,
        to: RECIPIENT,
        value: 1n,
      });
      const second = await bob.signTransaction({
        chainId: CHAIN_ID,
        type: 'legacy',
        nonce: 1,
        gas,
        gasPrice: price,
        to: RECIPIENT,
        value,
      });
      const refused = await rpcFailure(url, 'eth_sendRawTransaction', [second]);
      assert.match(refused.message, /^insufficient funds for gas \* price \+ value/);
      assert.match(refused.message, /sender does not have enough funds/);
      await fund(bob.address, gas * price + value);
      const [queued] = await submitAll(url, [second]);
      const [mined] = await submitAll(url, [first]);
      assert.ok(queued && mined);
      assert.equal((await receiptOf(mined)).status, 'success');
      const isMined = async (): Promise<boolean | undefined> =>
        (await rpc(url, 'eth_getTransactionReceipt', [queued])) === null ? undefined : true;
      await assert.rejects(until('mined without funds', isMined, 3_000), /not within 3000 ms/);
      await fund(bob.address, gas * price + value);
      assert.equal((await receiptOf(queued)).status, 'success');
    });
  });

  it('counts a pending transaction only under the tag pending (R2)', async () => {
    const slow = await startNode({ sequencer_block_time: '2s' });
    try {
      const account = anAccount();
      const clients = viemClients(slow.rpcUrl);
      const hash = await clients.wallet.sendTransaction({ to: account.address, value: parseEther('1') });
      await clients.reader.waitForTransactionReceipt({ hash });
      const own = viemClients(slow.rpcUrl, account);
      const { abi, bytecode } = testContract('EventEmitter');
      const counts = async () =>
        Promise.all(
          [['pending'], ['latest'], []].map((tag) =>
            rpc<Hex>(slow.rpcUrl, 'eth_getTransactionCount', [account.address, ...tag]),
          ),
        );
      assert.deepEqual(await counts(), ['0x0', '0x0', '0x0']);
      const deployment = await own.wallet.deployContract({ abi, bytecode });
      assert.deepEqual(await counts(), ['0x1', '0x0', '0x0']);
      await own.reader.waitForTransactionReceipt({ hash: deployment });
      assert.deepEqual(await counts(), ['0x1', '0x1', '0x1']);
    } finally {
      assert.equal(await slow.stop(), 0);
      removeFolder(slow.dataPath);
    }
  });

  describe('reads', () => {
    it('give code at the tag, the hash and the number before (R1)', async () => {
      const { runtimeBytecode } = testContract('EventEmitter');
      const { address, receipt } = await deploy('EventEmitter');
      const code = (at: unknown) => rpc<Hex>(url, 'eth_getCode', [address, at]);
      assert.equal(await code('latest'), runtimeBytecode);
      assert.equal(await code(receipt.blockHash), runtimeBytecode);
      assert.equal(await code({ blockHash: receipt.blockHash }), runtimeBytecode);
      assert.equal(await code(`0x${(receipt.blockNumber - 1n).toString(16)}`), '0x');
    });

    it('agree on the chain id (R3) and name the client (R4)', async () => {
      assert.equal(await rpc(url, 'net_version'), String(CHAIN_ID));
      assert.equal(Number(await rpc<Hex>(url, 'eth_chainId')), CHAIN_ID);
      assert.match(await rpc<string>(url, 'web3_clientVersion'), /^zksync-os\/v\d+\.\d+\.\d+/);
    });

    it('order the tags (X1)', async () => {
      const number = async (tag: string) => (await viem.reader.getBlock({ blockTag: tag as 'latest' })).number; // the others are tags too
      const [earliest, finalized, safe, latest, pending] = await Promise.all(
        ['earliest', 'finalized', 'safe', 'latest', 'pending'].map(number),
      );
      assert.ok(earliest !== undefined && finalized !== undefined && safe !== undefined && latest !== undefined);
      assert.equal(earliest, 0n);
      assert.ok(earliest <= finalized && finalized <= safe && safe <= latest && latest >= 3n);
      assert.equal(pending, latest);
    });

    it('refuse log ranges that are upside down or beyond the head (X6)', async () => {
      const latest = Number(await rpc<Hex>(url, 'eth_blockNumber'));
      const failure = async (fromBlock: number, toBlock: number) =>
        rpcFailure(url, 'eth_getLogs', [
          { fromBlock: `0x${fromBlock.toString(16)}`, toBlock: `0x${toBlock.toString(16)}` },
        ]);
      const upsideDown = await failure(2, 1);
      assert.deepEqual([upsideDown.code, upsideDown.message], [-32602, 'invalid block range params']);
      const beyond = await failure(1, latest + 1_000);
      assert.deepEqual([beyond.code, beyond.message], [-32602, 'block range extends beyond current head block']);
    });

    it('give the history of fees (X7)', async () => {
      const history = await rpc<{ oldestBlock: Hex; baseFeePerGas: Hex[]; gasUsedRatio: number[]; reward: Hex[][] }>(
        url,
        'eth_feeHistory',
        ['0x4', 'latest', [10, 50]],
      );
      const latest = Number(await rpc<Hex>(url, 'eth_blockNumber'));
      assert.deepEqual(history.baseFeePerGas, Array(5).fill('0x3e8'));
      assert.equal(Number(history.oldestBlock), latest - 3);
      assert.equal(history.gasUsedRatio.length, 4);
      assert.ok(history.gasUsedRatio.every((ratio) => ratio > 0 && ratio <= 1));
      assert.deepEqual(
        history.reward.map((row) => row.length),
        [2, 2, 2, 2],
      );
    });

    it('give one hash for a block with logs wherever it is named (X9)', async () => {
      const { address } = await deploy('EventEmitter');
      const { abi } = testContract('EventEmitter');
      const receipt = await receiptOf(
        await viem.wallet.writeContract({ address, abi, functionName: 'emitEvent', args: [42n] }),
      );
      const [byNumber, byHash, latest] = await Promise.all([
        viem.reader.getBlock({ blockNumber: receipt.blockNumber }),
        viem.reader.getBlock({ blockHash: receipt.blockHash }),
        viem.reader.getBlock(),
      ]);
      const [log] = await viem.reader.getLogs({ address, blockHash: receipt.blockHash });
      assert.deepEqual(
        [byNumber.hash, byHash.hash, log?.blockHash, receipt.logs[0]?.blockHash],
        Array(4).fill(receipt.blockHash),
      );
      assert.equal(log?.data, pad('0x2a'));
      assert.notEqual(BigInt(byNumber.logsBloom), 0n);
      const child =
        latest.number === receipt.blockNumber
          ? undefined
          : await viem.reader.getBlock({ blockNumber: receipt.blockNumber + 1n });
      assert.ok(child === undefined || child.parentHash === receipt.blockHash);
    });

    it('answer a batch of 100 in order, one of them unknown (X11)', async () => {
      const calls = Array.from({ length: 100 }, (_value, index) => {
        if (index === 57) return { method: 'eth_doesNotExist', params: [] };
        const kinds = [
          { method: 'eth_chainId', params: [] },
          { method: 'eth_getBalance', params: [RICH.address, 'latest'] },
          { method: 'eth_getBlockByNumber', params: ['0x1', false] },
          { method: 'eth_call', params: [{ to: RECIPIENT }, 'latest'] },
        ];
        return kinds[index % kinds.length] ?? { method: 'eth_chainId', params: [] };
      });
      const answers = await rpcBatch(url, calls);
      assert.deepEqual(
        answers.map(({ id }) => id),
        calls.map((_call, id) => id),
      );
      assert.equal(answers.filter(({ result }) => result !== undefined).length, 99);
      assert.equal(answers[57]?.error?.code, -32601);
      assert.equal(answers[56]?.result, '0x10e');
    });
  });

  describe('eth_call', () => {
    const call = (request: JsonRecord, ...more: readonly unknown[]) => rpc<Hex>(url, 'eth_call', [request, ...more]);
    const failure = (request: JsonRecord, ...more: readonly unknown[]) =>
      rpcFailure(url, 'eth_call', [request, ...more]);

    it('answers an empty request at block 0 (C1)', async () => {
      assert.equal(await call({}, '0x0'), '0x');
    });

    it('refuses what it must, in the words of the specification (C2)', async () => {
      const hex = (value: bigint) => `0x${value.toString(16)}`;
      const to = RECIPIENT;
      assert.equal(await call({ to }, 'latest', {}), '0x', 'C2a: overrides are implemented, an empty object is none');
      assert.match(
        (await failure({ to, blobVersionedHashes: [ONE_WORD], maxFeePerBlobGas: '0x1' })).message,
        /EIP-4844 transactions are not supported/,
      );
      assert.match((await failure({ to, authorizationList: [] })).message, /EIP-7702 transactions are not supported/);
      assert.match((await failure({ to }, hex(4294967295n))).message, /block not found/);
      assert.match(
        (await failure({ to, gasPrice: '0x64', maxFeePerGas: '0x64' })).message,
        /both `gasPrice` and \(`maxFeePerGas` or `maxPriorityFeePerGas`\) specified/,
      );
      const belowBase = await failure({ to, maxFeePerGas: '0x1', maxPriorityFeePerGas: '0x1' });
      assert.match(
        belowBase.message,
        /^max fee per gas less than block base fee.*`maxFeePerGas` less than `block.baseFee`/,
      );
      const tipAbove = await failure({ to, maxFeePerGas: hex(1001n), maxPriorityFeePerGas: hex(1002n) });
      assert.match(
        tipAbove.message,
        /^max priority fee per gas higher than max fee per gas.*`maxPriorityFeePerGas` higher than `maxFeePerGas`/,
      );
      assert.match(
        (await failure({ to, maxPriorityFeePerGas: hex(2n ** 128n - 1n) })).message,
        /`maxPriorityFeePerGas` is too high/,
      );
      assert.equal(
        await call({ from: RICH.address, to, maxFeePerGas: hex(1001n) }),
        '0x',
        'C2i: a cap without a tip means a tip of zero',
      );
    });

    it('returns the runtime code of a create (C3)', async () => {
      const { bytecode, runtimeBytecode } = testContract('EventEmitter');
      assert.equal(await call({ data: bytecode }), runtimeBytecode);
    });

    it('reports reverts with code 3 and their data (C4)', async () => {
      const { address: to } = await deploy('SimpleRevert');
      assert.deepEqual(await failure({ to, data: toFunctionSelector('simpleRevert()') }), {
        code: 3,
        message: 'execution reverted',
        data: '0xc2bb947c',
      });
      const text = await failure({ to, data: toFunctionSelector('stringRevert()') });
      const data = `0x08c379a0${encodeAbiParameters([{ type: 'string' }], ['my message']).slice(2)}`;
      assert.deepEqual(text, { code: 3, message: 'execution reverted: my message', data });
      await assert.rejects(
        viem.reader.readContract({ address: to, abi: testContract('SimpleRevert').abi, functionName: 'simpleRevert' }),
        (error: unknown) =>
          error instanceof BaseError &&
          error.walk(
            (inner) => inner instanceof ContractFunctionRevertedError && inner.data?.errorName === 'SimpleError',
          ) !== null,
      );
    });

    it('sees state overrides', async () => {
      const { address: token } = await deploy('TestERC20', [SUPPLY, 'Over', 'OVR']);
      const to = anAccount().address;
      // SELFBALANCE; return it
      const selfBalance = '0x4760005260206000f3';
      assert.equal(BigInt(await call({ to }, 'latest', { [to]: { code: selfBalance, balance: '0x7b' } })), 123n);
      assert.equal(await call({ to }, 'latest'), '0x', 'an override lasts for one call');
      // Slot of balanceOf[to]: the mapping is the fourth storage variable.
      const slot = keccak256(encodeAbiParameters([{ type: 'address' }, { type: 'uint256' }], [to, 3n]));
      const balanceOf = encodeFunctionData({ abi: TOKEN_ABI, functionName: 'balanceOf', args: [to] });
      assert.equal(BigInt(await call({ to: token, data: balanceOf })), 0n);
      assert.equal(
        BigInt(
          await call({ to: token, data: balanceOf }, 'latest', { [token]: { stateDiff: { [slot]: pad('0x4d') } } }),
        ),
        77n,
      );
      const supply = toFunctionSelector('totalSupply()');
      assert.equal(
        BigInt(await call({ to: token, data: supply }, 'latest', { [token]: { stateDiff: { [slot]: pad('0x4d') } } })),
        SUPPLY,
      );
      assert.equal(
        BigInt(await call({ to: token, data: supply }, 'latest', { [token]: { state: { [slot]: pad('0x4d') } } })),
        0n,
      );
      // viem's deployless call runs a contract that is nowhere.
      const initCode = encodeDeployData({
        abi: TOKEN_ABI,
        bytecode: testContract('TestERC20').bytecode,
        args: [SUPPLY, 'Nowhere', 'NWH'],
      });
      const { data } = await viem.reader.call({ code: initCode, data: supply });
      assert.equal(BigInt(data ?? '0x0'), SUPPLY);
      const rich = { from: to, to: RECIPIENT, value: '0xde0b6b3a7640000' };
      assert.match((await failure(rich)).message, /insufficient funds/);
      assert.equal(await call(rich, 'latest', { [to]: { balance: '0xde0b6b3a7640000' } }), '0x');
    });

    it('sees block overrides', async () => {
      const to = anAccount().address;
      const returning = (opcode: string) => ({ [to]: { code: `0x${opcode}60005260206000f3` } });
      const value = async (opcode: string, overrides: JsonRecord) =>
        BigInt(await call({ to }, 'latest', returning(opcode), overrides));
      assert.equal(await value('43', { number: '0x10f2c' }), 0x10f2cn);
      assert.equal(await value('42', { time: '0x7fffffff' }), 0x7fffffffn);
      assert.equal(await value('41', { feeRecipient: RICH.address }), BigInt(RICH.address));
      assert.equal(await value('45', { gasLimit: '0x5f5e0ff' }), 0x5f5e0ffn);
      const { number, timestamp } = await viem.reader.getBlock();
      assert.deepEqual([await value('43', {}), await value('42', {})], [number, timestamp]);
    });
  });

  describe('eth_estimateGas', () => {
    it('gives a transfer and a deployment what they need', async () => {
      const to = anAccount().address;
      const { bytecode } = testContract('TestERC20');
      const initCode = encodeDeployData({ abi: TOKEN_ABI, bytecode, args: [SUPPLY, 'Estimate', 'EST'] });
      for (const request of [{ to, value: 1n }, { data: initCode }]) {
        const gas = await viem.reader.estimateGas({ account: RICH, ...request });
        const { status, gasUsed } = await receiptOf(await viem.wallet.sendTransaction({ ...request, gas }));
        assert.equal(status, 'success');
        assert.ok(gasUsed <= gas && gas < (gasUsed * 13n) / 10n, `${gas} for ${gasUsed}`);
      }
    });

    it('gives a deposit at least what L1 enforces', async () => {
      const request = { type: '0x7f', from: RICH.address, to: RECIPIENT, value: '0x64' };
      assert.ok(BigInt(await rpc<Hex>(url, 'eth_estimateGas', [request])) >= 200_000n);
    });

    it('reports a revert with its data', async () => {
      const { address: to } = await deploy('SimpleRevert');
      const error = await rpcFailure(url, 'eth_estimateGas', [
        { from: RICH.address, to, data: toFunctionSelector('simpleRevert()') },
      ]);
      assert.deepEqual([error.code, error.data], [3, '0xc2bb947c']);
    });
  });

  describe('the bridge', () => {
    it('logs a withdrawal and a message to L1', async () => {
      const withdrawal = await viem.wallet.sendTransaction({
        to: BASE_TOKEN,
        value: 100n,
        data: encodeFunctionData({
          abi: parseAbi(['function withdraw(address l1Receiver) payable']),
          args: [RECIPIENT],
        }),
      });
      const message = await viem.wallet.sendTransaction({
        to: L1_MESSENGER,
        data: encodeFunctionData({
          abi: parseAbi(['function sendToL1(bytes message) returns (bytes32)']),
          args: ['0xc0ffee'],
        }),
      });
      const receipts = [await rawReceipt(withdrawal), await rawReceipt(message)];
      assert.deepEqual(
        receipts.map(({ status }) => status),
        ['0x1', '0x1'],
      );
      const [withdrawn, sent] = receipts.map(({ l2ToL1Logs }) => l2ToL1Logs as JsonRecord[]);
      assert.equal(withdrawn?.length, 1);
      assert.deepEqual([withdrawn[0]?.['sender'], withdrawn[0]?.['key']], [L1_MESSENGER, pad(BASE_TOKEN)]);
      assert.equal(sent?.length, 1);
      assert.deepEqual(sent[0], {
        l2_shard_id: 0,
        is_service: true,
        tx_number_in_block: Number(receipts[1]?.['transactionIndex']),
        sender: L1_MESSENGER,
        key: pad(RICH.address).toLowerCase(),
        value: keccak256('0xc0ffee'),
        logIndex: '0x0',
        blockHash: receipts[1]?.['blockHash'],
        blockNumber: receipts[1]?.['blockNumber'],
        l1BatchNumber: null,
        transactionHash: message,
        transactionIndex: receipts[1]?.['transactionIndex'],
        shardId: '0x0',
        isService: true,
      });
    });

    it('shows deposits as type 0x7f, whether they succeed or fail', async () => {
      const initiator = anAccount().address;
      const refundRecipient = anAccount().address;
      const { address: reverting } = await deploy('SimpleRevert');
      const requests = [
        anL1Request(initiator, RECIPIENT, { value: 50n, refundRecipient }),
        anL1Request(initiator, reverting, { value: 0n, input: toFunctionSelector('simpleRevert()'), refundRecipient }),
      ];
      const [accepted, failed] = requestOnL1(node.dataPath, requests);
      assert.ok(accepted && failed);
      const before = await viem.reader.getBalance({ address: RECIPIENT });
      const [receipt, failure] = [await rawReceipt(accepted.hash), await rawReceipt(failed.hash)];
      assert.ok((await viem.reader.getBalance({ address: RECIPIENT })) >= before);

      const transaction = await rpc<JsonRecord>(url, 'eth_getTransactionByHash', [accepted.hash]);
      const lower = initiator.toLowerCase();
      assert.deepEqual(transaction, {
        type: '0x7f',
        hash: accepted.hash,
        initiator: lower,
        to: RECIPIENT.toLowerCase(),
        gas: '0xf4240',
        gasPerPubdataByteLimit: '0x320',
        maxFeePerGas: '0xee6b280',
        maxPriorityFeePerGas: '0x0',
        nonce: `0x${accepted.id.toString(16)}`,
        value: '0x32',
        toMint: `0x${(50n + 250_000_000n * 1_000_000n).toString(16)}`,
        refundRecipient: refundRecipient.toLowerCase(),
        input: '0x',
        factoryDeps: [],
        v: '0x0',
        r: ZERO_WORD,
        s: ZERO_WORD,
        yParity: '0x0',
        blockHash: receipt['blockHash'],
        blockNumber: receipt['blockNumber'],
        transactionIndex: receipt['transactionIndex'],
        from: lower,
        gasPrice: '0xee6b280',
      });
      for (const [each, hash, isSuccess] of [
        [receipt, accepted.hash, true],
        [failure, failed.hash, false],
      ] as const) {
        assert.deepEqual(
          [
            each['type'],
            each['status'],
            each['from'],
            each['contractAddress'],
            each['effectiveGasPrice'],
            each['logs'],
          ],
          ['0x7f', isSuccess ? '0x1' : '0x0', lower, null, '0xee6b280', []],
        );
        const logs = each['l2ToL1Logs'] as JsonRecord[];
        assert.equal(logs.length, 1);
        const { l2_shard_id, is_service, tx_number_in_block, sender, key, value } = logs[0] ?? {};
        assert.deepEqual(
          { l2_shard_id, is_service, tx_number_in_block, sender, key, value },
          {
            l2_shard_id: 0,
            is_service: true,
            tx_number_in_block: Number(each['transactionIndex']),
            sender: BOOTLOADER,
            key: hash,
            value: isSuccess ? ONE_WORD : ZERO_WORD,
          },
        );
      }
      assert.ok((await viem.reader.getBalance({ address: refundRecipient })) > 0n, 'unused gas is refunded');
      const raw = await rpc<Hex>(url, 'eth_getRawTransactionByHash', [accepted.hash]);
      assert.equal(raw.slice(0, 4), '0x7f');
      const read = await cast(url, ['receipt', accepted.hash, 'status']);
      assert.match(read.stdout, /^(1|true|0x1)/);
      assert.equal((await viem.reader.getTransactionReceipt({ hash: failed.hash })).status, 'reverted');
      assert.equal(getAddress((await viem.reader.getTransaction({ hash: accepted.hash })).from), initiator);
    });
  });
});
