/** The genesis input of a chain: the file that the configuration names, or the built-in one. */
import { readFileSync } from 'node:fs';
import { type Bytes, equalBytes, toHex } from '../common/bytes.ts';
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

/**
 * The file must have made the Genesis that the log holds.
 * @throws NodeError GENESIS_FILE_UNREADABLE, GENESIS_FILE_MISMATCH; ProtocolError GENESIS_MALFORMED
 */
export function checkGenesisFile(path: string, rootOfLog: Bytes): void {
  const { genesisRoot } = parseGenesisInput(readJson(path));
  if (equalBytes(genesisRoot, rootOfLog)) return;
  throw new NodeError(
    'fatal',
    `the Genesis of the log has the genesis root ${toHex(rootOfLog)}, but ${path} has ${toHex(genesisRoot)}: correct genesis_genesis_input_path or unset it, or use the log of that chain`,
    { code: 'GENESIS_FILE_MISMATCH', path, ofFile: toHex(genesisRoot), ofLog: toHex(rootOfLog) },
  );
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
