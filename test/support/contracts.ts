/** The test contracts of `contracts/test`, compiled once per process. */
import type { Abi } from 'viem';
import { type CompiledContract, compileFolder } from '../../contracts/compile.ts';
import { toHex } from '../../src/common/bytes.ts';

export type TestContractName = 'EventEmitter' | 'SimpleRevert' | 'TestERC20' | 'TracingPrimary' | 'TracingSecondary';

export interface TestContract {
  readonly abi: Abi;
  /** Init code without constructor arguments. */
  readonly bytecode: `0x${string}`;
  readonly runtimeBytecode: `0x${string}`;
}

let compiled: ReadonlyMap<string, CompiledContract> | undefined;

export function testContract(name: TestContractName): TestContract {
  compiled ??= compileFolder('test');
  const contract = compiled.get(name);
  if (contract === undefined) throw new Error(`contracts/test has no contract ${name}`);
  return {
    abi: contract.abi as Abi, // what the compiler writes is one
    bytecode: toHex(contract.initCode),
    runtimeBytecode: toHex(contract.runtimeCode),
  };
}
