/** The genesis input of a chain: the file that the configuration names, or the built-in one. */
import { readFileSync } from 'node:fs';
import { NodeError, errorText } from '../common/errors.ts';
import { type GenesisInput, checkGenesisRoot, parseGenesisInput } from '../protocol/genesis.ts';
import { loadDevelopmentGenesis } from './developmentGenesis.ts';

/** @throws NodeError GENESIS_FILE_UNREADABLE; ProtocolError GENESIS_MALFORMED, GENESIS_ROOT_MISMATCH */
export function loadGenesisInput(path: string | undefined): GenesisInput {
  if (path === undefined) return loadDevelopmentGenesis().input;
  const input = parseGenesisInput(readJson(path));
  checkGenesisRoot(input);
  return input;
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new NodeError(
      'fatal',
      `the genesis input ${path} cannot be read: ${errorText(error)}; check genesis_genesis_input_path`,
      { code: 'GENESIS_FILE_UNREADABLE', path },
      { cause: error },
    );
  }
}
