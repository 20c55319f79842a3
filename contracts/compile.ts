/** Compiles the project's own Solidity with the pinned compiler. The output depends on the sources alone. */
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type Bytes, fromHex } from '../src/common/bytes.ts';
import { NodeError } from '../src/common/errors.ts';

export interface CompiledContract {
  readonly name: string;
  /** JSON ABI. */
  readonly abi: readonly unknown[];
  /** What a creation transaction carries, constructor arguments excepted. */
  readonly initCode: Bytes;
  readonly runtimeCode: Bytes;
}

interface SolcContract {
  readonly abi: readonly unknown[];
  readonly evm: {
    readonly bytecode: { readonly object: string };
    readonly deployedBytecode: { readonly object: string };
  };
}

interface SolcOutput {
  readonly errors?: readonly { readonly severity: string; readonly formattedMessage: string }[];
  readonly contracts?: Readonly<Record<string, Readonly<Record<string, SolcContract>>>>;
}

/** The package has no types; this is all that is used of it. */
interface Solc {
  compile(standardJson: string): string;
}

const SETTINGS = {
  evmVersion: 'cancun',
  optimizer: { enabled: true, runs: 1_000 },
  // No hash of sources and paths behind the code.
  metadata: { bytecodeHash: 'none', appendCBOR: false },
  outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object', 'evm.deployedBytecode.object'] } },
};

/**
 * Every contract in the `.sol` files of `contracts/<folder>`, by name.
 * @throws NodeError SOLIDITY_ERROR with the compiler's messages; warnings count
 */
export function compileFolder(folder: 'l1' | 'l2' | 'test'): ReadonlyMap<string, CompiledContract> {
  const directory = new URL(`./${folder}/`, import.meta.url);
  const files = readdirSync(directory).filter((file) => file.endsWith('.sol'));
  const sources = Object.fromEntries(
    files.sort().map((file) => [file, { content: readFileSync(new URL(file, directory), 'utf8') }]),
  );
  const solc = createRequire(import.meta.url)('solc') as Solc;
  const input = { language: 'Solidity', sources, settings: SETTINGS };
  const output = JSON.parse(solc.compile(JSON.stringify(input))) as SolcOutput;
  const messages = output.errors ?? [];
  if (messages.length > 0) {
    const text = messages.map(({ formattedMessage }) => formattedMessage).join('\n');
    throw new NodeError('fatal', `the contracts of ${folder} do not compile cleanly:\n${text}`, {
      code: 'SOLIDITY_ERROR',
      folder,
    });
  }
  const compiled = new Map<string, CompiledContract>();
  for (const contracts of Object.values(output.contracts ?? {})) {
    for (const [name, { abi, evm }] of Object.entries(contracts)) {
      const [initCode, runtimeCode] = [fromHex(evm.bytecode.object), fromHex(evm.deployedBytecode.object)];
      compiled.set(name, { name, abi, initCode, runtimeCode });
    }
  }
  return compiled;
}
