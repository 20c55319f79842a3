/**
 * The programs of acceptance 2.8 on a whole node and on anvil: the same transactions of the same account in the same order,
 * so that addresses are the same. Of every frame all fields are compared but `gas` and `gasUsed`: this chain charges
 * execution otherwise, and its top frame begins behind the intrinsic gas.
 */
import assert from 'node:assert/strict';
import {
  type Address,
  type Hex,
  type TransactionReceipt,
  concatHex,
  createPublicClient,
  createWalletClient,
  encodeDeployData,
  encodeErrorResult,
  encodeFunctionData,
  http,
  pad,
  parseAbi,
  toHex as toHexQuantity,
} from 'viem';
import { foundry } from 'viem/chains';
import { type Anvil, startAnvil } from '../../src/l1/anvil.ts';
import {
  RICH,
  type ViemClients,
  anAccount,
  anL1Request,
  requestOnL1,
  rpcBatch,
  rpcFailure,
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

type Frame = Readonly<Record<string, unknown>> & { readonly calls?: readonly Frame[]; readonly error?: string };

const CALL_TRACER = { tracer: 'callTracer' };
const WITH_LOG = { tracer: 'callTracer', tracerConfig: { withLog: true } };
const TOKEN = parseAbi([
  'constructor(uint256 initialSupply, string name, string symbol)',
  'function transfer(address to, uint256 value) returns (bool)',
]);
const RECIPIENT: Address = '0x70997970C51812dc3A010C7d01b50e0d17dc79C8';
const BEYOND_LATEST = '0xffffff';

/** Deploys with CREATE2 what it is called with: CALLDATACOPY all, CREATE2 with salt 7 and no value, return the address. */
const CREATE2_FACTORY: Hex = '0x36600060003760073660006000f560005260206000f3';
/** Init code of a contract with that code: it copies what stands behind it. */
const deploying = (code: Hex): Hex => {
  const size = (code.length - 2) / 2;
  return concatHex([
    `0x60${size.toString(16).padStart(2, '0')}600c60003960${size.toString(16).padStart(2, '0')}6000f3`,
    code,
  ]);
};

interface Chain {
  readonly url: string;
  send(transaction: { to?: Address; data: Hex; gas?: bigint; value?: bigint }): Promise<TransactionReceipt>;
  /** Without waiting. */
  submit(transaction: { to: Address; data: Hex; nonce: number }): Promise<Hex>;
}

function chainOf(url: string, clients: Pick<ViemClients, 'reader' | 'wallet'>): Chain {
  const { reader, wallet } = clients;
  return {
    url,
    async send(transaction) {
      const hash = await wallet.sendTransaction({ gas: 2_000_000n, ...transaction });
      return reader.waitForTransactionReceipt({ hash, timeout: 20_000 });
    },
    submit: (transaction) => wallet.sendTransaction({ gas: 2_000_000n, ...transaction }),
  };
}

/** Clients of anvil; the rich account of the node is rich there, too. */
async function anvilChain(anvil: Anvil): Promise<Chain> {
  await rpc(anvil.url, 'anvil_setBalance', [RICH.address, toHexQuantity(10n ** 24n)]);
  const transport = http(anvil.url, { retryCount: 0 });
  const reader = createPublicClient({ chain: foundry, transport, pollingInterval: 20, cacheTime: 0 });
  const wallet = createWalletClient({ chain: foundry, transport, account: RICH });
  // The clients differ in their chain, which nothing here looks at.
  return chainOf(anvil.url, { reader, wallet } as unknown as ViemClients);
}

/** Errors for which anvil has names of its own; those of geth stand on the right. */
const ERRORS_OF_ANVIL: Readonly<Record<string, string>> = {
  CreateCollision: 'contract address collision',
  StackUnderflow: 'stack underflow',
  'Out of stack': 'stack limit reached 1024 (1023)',
  OutOfOffset: 'return data out of bounds',
  'invalid opcode': 'invalid opcode: opcode 0xc not defined',
  StateChangeDuringStaticCall: 'write protection',
};

/** A frame without what the two chains do not share. */
function comparable(frame: Frame): Frame {
  const { gas, gasUsed, calls, error, ...known } = frame;
  const rest = error === undefined ? known : { ...known, error: ERRORS_OF_ANVIL[error] ?? error };
  assert.match(String(gas), /^0x[0-9a-f]+$/);
  assert.match(String(gasUsed), /^0x[0-9a-f]+$/);
  return calls === undefined ? rest : { ...rest, calls: calls.map(comparable) };
}

/** Two values that must be one. */
async function both<T>(ask: (chain: Chain) => Promise<T>, chains: readonly [Chain, Chain]): Promise<[T, T]> {
  return Promise.all([ask(chains[0]), ask(chains[1])]);
}

describe('tracing', function () {
  this.timeout(60_000);

  let node: NodeProcess;
  let anvil: Anvil;
  let chains: [Chain, Chain];
  let here: Chain;
  let primary: Address;
  let secondary: Address;
  const primaryAbi = testContract('TracingPrimary').abi;

  before(async () => {
    node = new NodeProcess({
      dataPath: temporaryFolder('tracing'),
      ports: await freeNodePorts(),
      env: { sequencer_fee_collector_address: anAccount().address, rpc_max_trace_concurrency: '1' },
    });
    node.start();
    anvil = await startAnvil({ port: 0, args: ['--steps-tracing'] });
    await node.whenReady();
    await whenFunded(node.rpcUrl);
    here = chainOf(node.rpcUrl, viemClients(node.rpcUrl));
    chains = [here, await anvilChain(anvil)];
    secondary = await deploy('TracingSecondary', [42n]);
    primary = await deploy('TracingPrimary', [secondary]);
  });
  after(async () => {
    try {
      assert.equal(await node.stop(), 0);
    } finally {
      await killAllNodes();
      await anvil.stop();
      removeFolder(node.dataPath);
    }
  });

  /** On both chains; the address is the same. */
  async function deployBoth(data: Hex): Promise<{ address: Address; hashes: [Hex, Hex] }> {
    const [mine, other] = await both((chain) => chain.send({ data }), chains);
    assert.deepEqual([mine.status, other.status], ['success', 'success']);
    assert.equal(mine.contractAddress, other.contractAddress);
    assert.ok(mine.contractAddress);
    return { address: mine.contractAddress, hashes: [mine.transactionHash, other.transactionHash] };
  }

  async function deploy(name: Parameters<typeof testContract>[0], args: readonly unknown[]): Promise<Address> {
    const { abi, bytecode } = testContract(name);
    return (await deployBoth(encodeDeployData({ abi, bytecode, args }))).address;
  }

  /** The same transaction on both chains; its traces are equal, and the answer is that of the node. */
  async function equalTraces(
    transaction: Parameters<Chain['send']>[0],
    options: object = CALL_TRACER,
  ): Promise<{ frame: Frame; hash: Hex; receipt: TransactionReceipt }> {
    const receipts = await both((chain) => chain.send(transaction), chains);
    const [mine, other] = await Promise.all(
      receipts.map(({ transactionHash }, index) =>
        rpc<Frame>(chains[index]?.url ?? '', 'debug_traceTransaction', [transactionHash, options]),
      ),
    );
    assert.ok(mine !== undefined && other !== undefined);
    assert.deepEqual(comparable(mine), comparable(other));
    return { frame: mine, hash: receipts[0].transactionHash, receipt: receipts[0] };
  }

  const calling = (functionName: string, args: readonly unknown[]): Hex =>
    encodeFunctionData({ abi: primaryAbi, functionName, args });

  /** What a call of the primary with these numbers looks like (T1). */
  function isCalculation(frame: Frame, value: number): void {
    const output = pad(toHexQuantity(value * 42));
    assert.deepEqual(comparable(frame), {
      type: 'CALL',
      from: RICH.address.toLowerCase(),
      to: primary.toLowerCase(),
      value: '0x0',
      input: calling('calculate', [BigInt(value)]),
      output,
      calls: [
        {
          type: 'STATICCALL',
          from: primary.toLowerCase(),
          to: secondary.toLowerCase(),
          input: encodeFunctionData({
            abi: testContract('TracingSecondary').abi,
            functionName: 'multiply',
            args: [BigInt(value)],
          }),
          output,
        },
      ],
    });
  }

  it('T1: shows a call and its static call, and a revert with its reason', async () => {
    const { frame } = await equalTraces({ to: primary, data: calling('calculate', [24n]) });
    isCalculation(frame, 24);
    const reverted = await equalTraces({ to: primary, data: calling('shouldRevert', [24n]), gas: 1_000_000n });
    const reason = 'This should revert';
    const output = encodeErrorResult({ abi: parseAbi(['error Error(string)']), errorName: 'Error', args: [reason] });
    for (const each of [reverted.frame, reverted.frame.calls?.[0]]) {
      assert.deepEqual([each?.error, each?.['revertReason'], each?.['output']], ['execution reverted', reason, output]);
    }
  });

  it('T2: equals anvil on many calls, creations, logs, reverts and CREATE2', async () => {
    const many = await equalTraces({ to: primary, data: calling('multiCalculate', [24n, 10n]) });
    assert.equal(many.frame.calls?.length, 10);
    const { abi, bytecode } = testContract('TracingSecondary');
    const creation = await equalTraces({ data: encodeDeployData({ abi, bytecode, args: [9n] }) });
    assert.deepEqual(
      [creation.frame['type'], creation.frame['to']],
      ['CREATE', creation.receipt.contractAddress?.toLowerCase()],
    );
    assert.equal(creation.frame['output'], await rpc(here.url, 'eth_getCode', [creation.frame['to'], 'latest']));

    const token = await deploy('TestERC20', [1_000n, 'Token', 'TOK']);
    const transfer = encodeFunctionData({ abi: TOKEN, functionName: 'transfer', args: [RECIPIENT, 5n] });
    const moved = await equalTraces({ to: token, data: transfer }, WITH_LOG);
    assert.equal((moved.frame['logs'] as unknown[]).length, 1);
    const tooMuch = encodeFunctionData({ abi: TOKEN, functionName: 'transfer', args: [RECIPIENT, 5_000n] });
    assert.equal((await equalTraces({ to: token, data: tooMuch }, WITH_LOG)).frame.error, 'execution reverted');

    const factory = (await deployBoth(deploying(CREATE2_FACTORY))).address;
    const made = await equalTraces({ to: factory, data: deploying('0x00') });
    assert.deepEqual([made.frame.calls?.[0]?.['type'], made.frame.calls?.[0]?.['output']], ['CREATE2', '0x00']);
    // The second time the address is taken.
    const taken = await equalTraces({ to: factory, data: deploying('0x00') });
    assert.equal(taken.frame.calls?.[0]?.error, 'contract address collision');
    const top = await equalTraces(
      { to: primary, data: calling('multiCalculate', [24n, 10n]) },
      {
        tracer: 'callTracer',
        tracerConfig: { onlyTopCall: true },
      },
    );
    assert.equal(top.frame.calls, undefined);
  });

  it('T3: equals anvil on calls at latest', async () => {
    const request = (data: Hex, to?: Address): object => ({
      from: RICH.address,
      data,
      ...(to === undefined ? {} : { to }),
    });
    const { abi, bytecode } = testContract('TracingSecondary');
    for (const call of [
      request(calling('calculate', [24n]), primary),
      request(calling('multiCalculate', [24n, 10n]), primary),
      request(calling('shouldRevert', [24n]), primary),
      request(encodeDeployData({ abi, bytecode, args: [9n] })),
    ]) {
      const [mine, other] = await both(
        ({ url }) => rpc<Frame>(url, 'debug_traceCall', [{ ...call, gas: '0x4c4b40' }, 'latest', CALL_TRACER]),
        chains,
      );
      assert.deepEqual(comparable(mine), comparable(other));
    }
  });

  it('equals anvil on code that fails, and on calls that are borrowed, refused or destroy themselves', async () => {
    /** An account without code, and all gas. */
    const other = '73000000000000000000000000000000000000e0aa5a';
    const programs: readonly (readonly [code: Hex, error: string | undefined])[] = [
      ['0xfe', 'invalid opcode: INVALID'],
      ['0x0c', 'invalid opcode: opcode 0xc not defined'],
      ['0x01', 'stack underflow'],
      ['0x5b600060006000600056', 'stack limit reached 1024 (1023)'],
      ['0x600056', 'invalid jump destination'],
      ['0x5b600056', 'out of gas'],
      ['0x6001600060003e', 'return data out of bounds'],
      ['0x60026000fd', 'execution reverted'],
      // Called with data it writes; without, it calls itself with data, and statically.
      ['0x3615600c57600054600055005b6001600052600060006001600030620186a0fa00', 'write protection'],
      // CALL and CREATE with more than its balance.
      [`0x600060006000600060ff${other}f100`, 'insufficient balance for transfer'],
      ['0x600060006008f000', 'insufficient balance for transfer'],
      // A constructor that reverts at once: 5f5ffd in the last bytes of a word.
      ['0x625f5ffd6000526003601d6000f000', 'execution reverted'],
      [`0x60006000600060006002${other}f200`, undefined],
      [`0x6000600060006000${other}f400`, undefined],
      ['0x73000000000000000000000000000000000000e0aaff', undefined],
      ['0x60006000a0', undefined],
    ];
    const target = anAccount().address;
    const deepest = (frame: Frame): string | undefined => frame.calls?.map(deepest).find(Boolean) ?? frame.error;
    for (const [code, error] of programs) {
      await rpc(anvil.url, 'anvil_setCode', [target, code]);
      // Both have the same balance to give away.
      await rpc(anvil.url, 'anvil_setBalance', [target, '0x7']);
      const call = { from: RICH.address, to: target, gas: '0xf4240' };
      const stateOverrides = { [target]: { code, balance: '0x7' } };
      const theirs = await rpc<Frame>(anvil.url, 'debug_traceCall', [call, 'latest', WITH_LOG]);
      const mine = await rpc<Frame>(here.url, 'debug_traceCall', [call, 'latest', { ...WITH_LOG, stateOverrides }]);
      assert.deepEqual(comparable(mine), comparable(theirs), code);
      assert.equal(deepest(mine), error, code);
    }
  });

  it('T4: shows every transaction of a block, as it shows each alone', async () => {
    let nonce = await viemClients(here.url).reader.getTransactionCount({ address: RICH.address });
    const { hashes, blockNumber, blockHash } = await until('two calls in one block', async () => {
      const pair = await Promise.all(
        [24, 25].map((value) =>
          here.submit({ to: primary, data: calling('calculate', [BigInt(value)]), nonce: nonce++ }),
        ),
      );
      const receipts = await Promise.all(
        pair.map((hash) => viemClients(here.url).reader.waitForTransactionReceipt({ hash, timeout: 20_000 })),
      );
      const [first, second] = receipts;
      return first !== undefined && first.blockNumber === second?.blockNumber
        ? { hashes: pair, blockNumber: toHexQuantity(first.blockNumber), blockHash: first.blockHash }
        : undefined;
    });
    const ask = (method: string, id: Hex): Promise<{ txHash: Hex; result: Frame }[]> =>
      rpc(here.url, method, [id, CALL_TRACER]);
    const traces = await ask('debug_traceBlockByNumber', blockNumber);
    assert.deepEqual(await ask('debug_traceBlockByHash', blockHash), traces);
    for (const [index, hash] of hashes.entries()) {
      const { result } = traces.find(({ txHash }) => txHash === hash) ?? assert.fail(`${hash} is not in its block`);
      isCalculation(result, 24 + index);
      assert.deepEqual(await rpc(here.url, 'debug_traceTransaction', [hash, CALL_TRACER]), result);
    }
  });

  it('traces every block there is, the upgrade and deposits included, with every tracer', async () => {
    const [deposit] = requestOnL1(node.dataPath, [anL1Request(RICH.address, RECIPIENT, { value: 12_345n })]);
    assert.ok(deposit !== undefined);
    const included = await until('the deposit', async () => {
      const receipt = await rpc<{ blockNumber: Hex } | null>(here.url, 'eth_getTransactionReceipt', [deposit.hash]);
      return receipt ?? undefined;
    });
    const frame = await rpc<Frame>(here.url, 'debug_traceTransaction', [deposit.hash, CALL_TRACER]);
    assert.deepEqual(comparable(frame), {
      type: 'CALL',
      from: RICH.address.toLowerCase(),
      to: RECIPIENT.toLowerCase(),
      value: toHexQuantity(12_345n),
      input: '0x',
    });
    const tracers = [
      CALL_TRACER,
      { tracer: 'prestateTracer', tracerConfig: { diffMode: true } },
      { tracer: 'prestateTracer' },
      { enableReturnData: true, limit: 500 },
    ];
    const types = new Set<string>();
    for (let height = 1n; height <= BigInt(included.blockNumber); height++) {
      const block = await rpc<{ transactions: { hash: Hex; type: string }[] }>(here.url, 'eth_getBlockByNumber', [
        toHexQuantity(height),
        true,
      ]);
      for (const { type } of block.transactions) types.add(type);
      for (const options of tracers) {
        const whole = await rpc<unknown>(here.url, 'debug_traceBlockByNumber', [toHexQuantity(height), options]);
        const each: unknown[] = [];
        for (const { hash } of block.transactions)
          each.push({ txHash: hash, result: await rpc(here.url, 'debug_traceTransaction', [hash, options]) });
        assert.deepEqual(whole, each, `block ${height}`);
      }
    }
    // Upgrade, deposits, and L2 transactions.
    assert.deepEqual([...types].sort(), ['0x2', '0x7e', '0x7f']);
    assert.deepEqual(await rpc(here.url, 'debug_traceBlockByNumber', ['0x0', CALL_TRACER]), []);
  });

  it('shows the upgrade transaction with the deployments and initialisations in it', async () => {
    const [upgrade] = (await rpc<{ transactions: { hash: Hex; type: string }[] }>(here.url, 'eth_getBlockByNumber', ['0x1', true])).transactions; // prettier-ignore
    assert.equal(upgrade?.type, '0x7e');
    const frame = await rpc<Frame>(here.url, 'debug_traceTransaction', [upgrade.hash, WITH_LOG]);
    assert.equal(frame.error, undefined);
    assert.equal(frame['to'], '0x000000000000000000000000000000000000800f');
    assert.ok((frame.calls ?? []).length > 0);
    const { pre, post } = await rpc<{ pre: object; post: Record<string, { code?: string }> }>(
      here.url,
      'debug_traceTransaction',
      [upgrade.hash, { tracer: 'prestateTracer', tracerConfig: { diffMode: true } }],
    );
    assert.deepEqual(
      Object.keys(pre).filter((address) => post[address] === undefined),
      [],
    );
    const deployed = Object.entries(post).filter(([, { code }]) => code !== undefined);
    assert.ok(deployed.length > 0);
    for (const [address, { code }] of deployed)
      assert.equal(code, await rpc(here.url, 'eth_getCode', [address, '0x1']));
  });

  it('agrees with receipts and state: gas and return value of struct logs, balances of a diff', async () => {
    const receipt = await here.send({ to: primary, data: calling('calculate', [3n]) });
    const { transactionHash: hash, blockNumber, gasUsed } = receipt;
    const logs = await rpc<{
      gas: number;
      failed: boolean;
      returnValue: Hex;
      structLogs: { op: string; depth: number }[];
    }>(here.url, 'debug_traceTransaction', [hash]);
    assert.deepEqual([logs.gas, logs.failed, logs.returnValue], [Number(gasUsed), false, pad(toHexQuantity(3 * 42))]);
    assert.deepEqual([logs.structLogs[0]?.op, logs.structLogs.at(-1)?.op], ['PUSH1', 'RETURN']);
    assert.ok(logs.structLogs.some(({ op, depth }) => op === 'SLOAD' && depth === 2));
    type State = Record<string, { balance?: Hex; nonce?: number }>;
    const diff = await rpc<{ pre: State; post: State }>(here.url, 'debug_traceTransaction', [
      hash,
      { tracer: 'prestateTracer', tracerConfig: { diffMode: true } },
    ]);
    const at = (height: bigint): Promise<Hex> => rpc(here.url, 'eth_getBalance', [RICH.address, toHexQuantity(height)]);
    const key = RICH.address.toLowerCase();
    assert.equal(diff.pre[key]?.balance, await at(blockNumber - 1n));
    assert.equal(diff.post[key]?.balance, await at(blockNumber));
  });

  it('equals anvil on the opcodes of a call: pc, opcode, depth and stack', async () => {
    const data = calling('calculate', [24n]);
    const receipts = await both((chain) => chain.send({ to: primary, data }), chains);
    type Log = { pc: number; op: string; depth: number; stack: string[]; gasCost: number };
    const [mine, other] = await Promise.all(
      receipts.map(({ transactionHash }, index) =>
        rpc<{ structLogs: Log[] }>(chains[index]?.url ?? '', 'debug_traceTransaction', [transactionHash, {}]),
      ),
    );
    // GAS pushes what is left, which differs, into the call that follows it.
    const shown = (logs: readonly Log[] = []): unknown[] =>
      logs.map(({ pc, op, depth, stack }) => [pc, op, depth, stack.length]);
    assert.deepEqual(shown(mine?.structLogs), shown(other?.structLogs));
  });

  it('takes overrides of state and block in debug_traceCall, and looks at historical blocks', async () => {
    const { blockNumber } = await here.send({ to: primary, data: calling('calculate', [1n]) });
    // NUMBER, returned as a word.
    const request = { to: RECIPIENT, data: '0x' };
    const stateOverrides = { [RECIPIENT]: { code: '0x4360005260206000f3' } };
    const traced = (id: Hex, blockOverrides = {}): Promise<Frame> =>
      rpc(here.url, 'debug_traceCall', [request, id, { ...CALL_TRACER, stateOverrides, blockOverrides }]);
    const height = toHexQuantity(blockNumber - 1n);
    assert.equal((await traced(height))['output'], pad(height));
    assert.equal((await traced(height, { number: '0x1234' }))['output'], pad('0x1234'));
    // The primary was not there at block 1: nothing runs.
    const early = await rpc<Frame>(here.url, 'debug_traceCall', [
      { to: primary, data: calling('calculate', [1n]) },
      '0x1',
      CALL_TRACER,
    ]);
    assert.deepEqual([early['output'], early.calls], [undefined, undefined]);
  });

  it('refuses what it does not know, and what takes too long or comes too often', async () => {
    const failure = async (method: string, params: readonly unknown[]): Promise<[number, string]> => {
      const { code, message } = await rpcFailure(here.url, method, params);
      return [code, message];
    };
    const unknown = pad('0x1234');
    assert.deepEqual(await failure('debug_traceTransaction', [unknown, CALL_TRACER]), [
      -32_000,
      'transaction not found',
    ]);
    assert.deepEqual(await failure('debug_traceBlockByHash', [unknown, CALL_TRACER]), [-32_001, 'block not found']);
    assert.deepEqual(await failure('debug_traceBlockByNumber', [BEYOND_LATEST]), [-32_001, 'block not found']);
    const script = '{data: [], fault: function(log) {}, step: function(log) {}, result: function() { return 1; }}';
    assert.deepEqual(await failure('debug_traceTransaction', [unknown, { tracer: script }]), [
      -32_602,
      `tracer ${script.slice(0, 60)} is not supported`,
    ]);
    // Never ends by itself before its gas does: JUMPDEST PUSH1 0 JUMP.
    const endless = { to: RECIPIENT, gas: '0x5f5e100' };
    const stateOverrides = { [RECIPIENT]: { code: '0x5b600056' } };
    const [code, message] = await failure('debug_traceCall', [
      endless,
      'latest',
      { ...CALL_TRACER, stateOverrides, timeout: '1ms' },
    ]);
    assert.equal(code, -32_000);
    assert.match(message, /^execution timeout: the trace did not end within 1 ms/);

    // Its gas lasts far longer than the limit. One runs and four wait: of many that come together, some are told to come again, and all others are answered.
    const options = { ...CALL_TRACER, stateOverrides, timeout: '60ms' };
    const calls = Array.from({ length: 12 }, () => ({
      method: 'debug_traceCall',
      params: [endless, 'latest', options],
    }));
    const refusals = (await rpcBatch(here.url, calls)).map(({ error }) => error);
    const isBusy = refusals.filter((error) => error?.code === -32_009);
    assert.ok(isBusy.length > 0, JSON.stringify(refusals));
    for (const error of isBusy) {
      assert.equal(
        error?.message,
        'Server is busy, try again later: 1 traces run and 4 wait (rpc_max_trace_concurrency)',
      );
    }
    assert.ok(refusals.every((error) => error?.code === -32_009 || error?.message.startsWith('execution timeout')));
    // Nothing is stuck.
    assert.equal(
      (await rpc<Frame>(here.url, 'debug_traceCall', [{ to: RECIPIENT }, 'latest', CALL_TRACER]))['type'],
      'CALL',
    );
    const metrics = await (await fetch(`http://127.0.0.1:${node.ports.metrics}/metrics`)).text();
    assert.match(metrics, /rpc_traces_total\{tracer="callTracer",outcome="busy"\} \d+/);
    assert.match(metrics, /rpc_traces_running 0/);
  });
});
