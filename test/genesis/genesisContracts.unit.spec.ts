/** The genesis contracts and the test contracts, run in another EVM. */
import assert from 'node:assert/strict';
import { type VM, createVM } from '@ethereumjs/vm';
import { Address, createAccount } from '@ethereumjs/util';
import { beforeEach, describe, it } from 'mocha';
import { type Abi, decodeErrorResult, decodeFunctionResult, encodeDeployData, encodeFunctionData } from 'viem';
import { compileFolder } from '../../contracts/compile.ts';
import { type Bytes, bigIntToBytes, fromHex, toHex } from '../../src/common/bytes.ts';
import { loadDevelopmentGenesis } from '../../src/genesis/developmentGenesis.ts';
import { developmentUpgrade } from '../../src/genesis/developmentUpgrade.ts';
import { type TestContractName, testContract } from '../support/contracts.ts';

const FORCE_DEPLOYER = 0x8007n;
const UPGRADER = 0x800fn;
const WRAPPED = 0x10007n;
const ALICE = 0xa11cen;
const BOB = 0xb0bn;

interface CallResult {
  readonly reverted: boolean;
  readonly returned: `0x${string}`;
  readonly logs: number;
}

function at(number: bigint): Address {
  return new Address(bigIntToBytes(number, 20));
}

function abiOf(folder: 'l2', name: string): Abi {
  const contract = compiledL2.get(name);
  assert.ok(contract, `${folder} has ${name}`);
  return contract.abi as Abi; // what the compiler writes is one
}

const compiledL2 = compileFolder('l2');
const upgraderAbi = abiOf('l2', 'ComplexUpgrader');
const wrappedAbi = abiOf('l2', 'WrappedBaseToken');

describe('contracts', () => {
  let vm: VM;

  beforeEach(async () => {
    vm = await createVM();
    for (const [address, code] of loadDevelopmentGenesis().input.initialContracts)
      await vm.stateManager.putCode(new Address(address), code);
    await vm.stateManager.putAccount(at(ALICE), createAccount({ balance: 1_000n }));
  });

  async function call(
    from: bigint,
    to: bigint | Address,
    data: Bytes | `0x${string}`,
    value = 0n,
  ): Promise<CallResult> {
    const { execResult } = await vm.evm.runCall({
      caller: at(from),
      to: typeof to === 'bigint' ? at(to) : to,
      data: typeof data === 'string' ? fromHex(data) : data,
      value,
      gasLimit: 10_000_000n,
    });
    return {
      reverted: execResult.exceptionError !== undefined,
      returned: toHex(execResult.returnValue),
      logs: execResult.logs?.length ?? 0,
    };
  }

  const wrapped = (functionName: string, args: readonly unknown[] = []): `0x${string}` =>
    encodeFunctionData({ abi: wrappedAbi, functionName, args });

  async function balanceOf(owner: bigint): Promise<unknown> {
    const data = wrapped('balanceOf', [toHex(bigIntToBytes(owner, 20))]);
    const { returned } = await call(ALICE, WRAPPED, data);
    return decodeFunctionResult({ abi: wrappedAbi, functionName: 'balanceOf', data: returned });
  }

  describe('complex upgrader', () => {
    const upgrade = (target: bigint, data: `0x${string}`): `0x${string}` =>
      encodeFunctionData({ abi: upgraderAbi, functionName: 'upgrade', args: [toHex(bigIntToBytes(target, 20)), data] });

    const ethereum = { l1ChainId: 31_337n, bridgehub: bigIntToBytes(BOB, 20), forceDeployments: [] };

    it('runs the genesis upgrade, which initializes ChainInfo', async () => {
      const [[address, code] = []] = loadDevelopmentGenesis().forceDeployments;
      assert.ok(address && code);
      await vm.stateManager.putCode(new Address(address), code);
      const { input } = developmentUpgrade({ ...ethereum, chainId: 1n });
      const result = { reverted: false, returned: '0x', logs: 0 };
      assert.deepEqual(await call(FORCE_DEPLOYER, UPGRADER, input), result);
      assert.deepEqual(await vm.stateManager.dumpStorage?.(at(UPGRADER)), {});
      assert.equal(Object.keys((await vm.stateManager.dumpStorage?.(new Address(address))) ?? {}).length, 2);
      assert.ok((await call(FORCE_DEPLOYER, UPGRADER, input)).reverted, 'only once');
    });

    it('refuses the upgrade of another chain, and an initialization by somebody else', async () => {
      const other = await call(FORCE_DEPLOYER, UPGRADER, developmentUpgrade({ ...ethereum, chainId: 2n }).input);
      const error = decodeErrorResult({ abi: abiOf('l2', 'GenesisUpgrade'), data: other.returned });
      assert.deepEqual([error.errorName, error.args], ['WrongChain', [2n, 1n]]);
      const [[address, code] = []] = loadDevelopmentGenesis().forceDeployments;
      assert.ok(address && code);
      await vm.stateManager.putCode(new Address(address), code);
      const abi = abiOf('l2', 'ChainInfo');
      const data = encodeFunctionData({ abi, functionName: 'initialize', args: [1n, toHex(bigIntToBytes(BOB, 20))] });
      const refused = await call(ALICE, BigInt(toHex(address)), data);
      assert.equal(decodeErrorResult({ abi, data: refused.returned }).errorName, 'Unauthorized');
    });

    it('runs the code in its own context', async () => {
      const result = await call(
        FORCE_DEPLOYER,
        UPGRADER,
        upgrade(WRAPPED, wrapped('approve', [toHex(bigIntToBytes(BOB, 20)), 5n])),
      );
      assert.deepEqual(result, { reverted: false, returned: '0x', logs: 1 });
      assert.equal(Object.keys((await vm.stateManager.dumpStorage?.(at(UPGRADER))) ?? {}).length, 1);
      assert.deepEqual(await vm.stateManager.dumpStorage?.(at(WRAPPED)), {});
    });

    it('refuses other callers and targets without code, and passes reverts on', async () => {
      const cases: [bigint, `0x${string}`, Abi, string][] = [
        [ALICE, upgrade(WRAPPED, '0x313ce567'), upgraderAbi, 'Unauthorized'],
        [FORCE_DEPLOYER, upgrade(BOB, '0x313ce567'), upgraderAbi, 'AddressHasNoCode'],
        [FORCE_DEPLOYER, upgrade(WRAPPED, wrapped('withdraw', [1n])), wrappedAbi, 'InsufficientBalance'],
      ];
      for (const [caller, data, abi, errorName] of cases) {
        const result = await call(caller, UPGRADER, data);
        assert.ok(result.reverted);
        assert.equal(decodeErrorResult({ abi, data: result.returned }).errorName, errorName);
      }
    });
  });

  describe('wrapped base token', () => {
    it('wraps, moves and unwraps', async () => {
      assert.equal((await call(ALICE, WRAPPED, wrapped('deposit'), 600n)).logs, 1);
      assert.equal((await call(ALICE, WRAPPED, '0x', 100n)).reverted, false);
      assert.equal(
        (await call(ALICE, WRAPPED, wrapped('transfer', [toHex(bigIntToBytes(BOB, 20)), 200n]))).reverted,
        false,
      );
      assert.deepEqual([await balanceOf(ALICE), await balanceOf(BOB)], [500n, 200n]);
      assert.equal((await call(BOB, WRAPPED, wrapped('withdraw', [150n]))).reverted, false);
      assert.equal((await vm.stateManager.getAccount(at(BOB)))?.balance, 150n);
      assert.equal(await balanceOf(BOB), 50n);
      assert.ok((await call(BOB, WRAPPED, wrapped('withdraw', [51n]))).reverted);
      const { returned } = await call(BOB, WRAPPED, wrapped('totalSupply'));
      assert.equal(BigInt(returned), 550n);
    });

    it('lets others spend what they were allowed', async () => {
      const [alice, bob] = [toHex(bigIntToBytes(ALICE, 20)), toHex(bigIntToBytes(BOB, 20))];
      await call(ALICE, WRAPPED, wrapped('deposit'), 600n);
      await call(ALICE, WRAPPED, wrapped('approve', [bob, 100n]));
      assert.equal((await call(BOB, WRAPPED, wrapped('transferFrom', [alice, bob, 60n]))).reverted, false);
      const refused = await call(BOB, WRAPPED, wrapped('transferFrom', [alice, bob, 41n]));
      assert.equal(decodeErrorResult({ abi: wrappedAbi, data: refused.returned }).errorName, 'InsufficientAllowance');
      await call(ALICE, WRAPPED, wrapped('approve', [bob, (1n << 256n) - 1n]));
      await call(BOB, WRAPPED, wrapped('transferFrom', [alice, bob, 41n]));
      const { returned } = await call(BOB, WRAPPED, wrapped('allowance', [alice, bob]));
      assert.equal(BigInt(returned), (1n << 256n) - 1n);
      assert.equal(await balanceOf(BOB), 101n);
    });
  });

  describe('test contracts', () => {
    async function deploy(name: TestContractName, args: readonly unknown[] = []): Promise<Address> {
      const { abi, bytecode } = testContract(name);
      const { createdAddress, execResult } = await vm.evm.runCall({
        caller: at(ALICE),
        data: fromHex(encodeDeployData({ abi, bytecode, args })),
        gasLimit: 10_000_000n,
      });
      assert.ok(createdAddress && execResult.exceptionError === undefined, `${name} deploys`);
      return createdAddress;
    }

    const data = (name: TestContractName, functionName: string, args: readonly unknown[] = []): `0x${string}` =>
      encodeFunctionData({ abi: testContract(name).abi, functionName, args });

    it('emit and revert as the acceptance rows expect', async () => {
      const emitter = await deploy('EventEmitter');
      assert.equal((await call(ALICE, emitter, data('EventEmitter', 'emitEvent', [42n]))).logs, 1);
      const reverts = await deploy('SimpleRevert');
      assert.equal((await call(ALICE, reverts, data('SimpleRevert', 'simpleRevert'))).returned, '0xc2bb947c');
      assert.match((await call(ALICE, reverts, data('SimpleRevert', 'stringRevert'))).returned, /^0x08c379a0/);
    });

    it('trace shapes: once, many times, reverting', async () => {
      const secondary = await deploy('TracingSecondary', [42n]);
      const primary = await deploy('TracingPrimary', [toHex(secondary.bytes)]);
      assert.equal(BigInt((await call(ALICE, primary, data('TracingPrimary', 'calculate', [24n]))).returned), 1_008n);
      assert.equal(
        BigInt((await call(ALICE, primary, data('TracingPrimary', 'multiCalculate', [24n, 10n]))).returned),
        33n * 42n,
      );
      const { reverted, returned } = await call(ALICE, primary, data('TracingPrimary', 'shouldRevert', [1n]));
      assert.ok(reverted);
      const error = decodeErrorResult({ abi: testContract('TracingPrimary').abi, data: returned });
      assert.deepEqual([error.errorName, error.args], ['Error', ['This should revert']]);
    });

    it('mint and move tokens', async () => {
      const token = await deploy('TestERC20', [1_000n, 'TestToken', 'TTK']);
      const bob = toHex(bigIntToBytes(BOB, 20));
      assert.equal((await call(BOB, token, data('TestERC20', 'mint', [bob, 5n]))).reverted, false);
      assert.equal((await call(ALICE, token, data('TestERC20', 'transfer', [bob, 10n]))).logs, 1);
      assert.equal(BigInt((await call(BOB, token, data('TestERC20', 'balanceOf', [bob]))).returned), 15n);
      const { returned } = await call(BOB, token, data('TestERC20', 'transfer', [bob, 16n]));
      assert.equal(
        decodeErrorResult({ abi: testContract('TestERC20').abi, data: returned }).errorName,
        'InsufficientBalance',
      );
    });
  });
});
