/** Block 0 from the Genesis entry: its state, its header, and the check of its root (spec: genesis 2 to 4), in every role. */
import { type Bytes, equalBytes, toHex } from '../common/bytes.ts';
import { blake2s256 } from '../common/hash.ts';
import { NodeError } from '../common/errors.ts';
import type { GenesisEntry, LoggedGenesisInput } from '../log/entry.ts';
import type { LogEntry } from '../log/eventLog.ts';
import {
  type GenesisInput,
  GENESIS_HEADER,
  genesisContext,
  genesisState,
  genesisStateCommitment,
} from '../protocol/genesis.ts';
import { headerHash } from '../protocol/blockHeader.ts';
import type { GenesisContent } from '../store/chainStore.ts';
import { ReplayErrorCode } from './errors.ts';

export function genesisContent(entry: GenesisEntry, logEntry: LogEntry): GenesisContent {
  const input = toGenesisInput(entry.genesisInput);
  checkRoot(input, entry.genesisRoot);
  const state = genesisState(input);
  const header = GENESIS_HEADER;
  return {
    position: logEntry.position,
    chainId: entry.chainId,
    header,
    blockHash: headerHash(header),
    context: genesisContext(input.executionVersion),
    writes: state.writes,
    preimages: [
      ...state.preimages,
      ...entry.forceDeployPreimages.map((bytes: Bytes) => ({ hash: blake2s256(bytes), bytes })),
    ],
    entryBytes: logEntry.bytes,
  };
}

export function toGenesisInput(logged: LoggedGenesisInput): GenesisInput {
  return {
    initialContracts: logged.initialContracts.map(({ address, code }) => [address, code] as const),
    additionalStorage: logged.additionalStorage.map(({ key, value }) => [key, value] as const),
    executionVersion: logged.executionVersion,
    genesisRoot: logged.genesisRoot,
  };
}

function checkRoot(input: GenesisInput, expected: Bytes): void {
  const got = genesisStateCommitment(input);
  if (equalBytes(got, expected) && equalBytes(got, input.genesisRoot)) return;
  throw new NodeError(
    'fatal',
    `Genesis state commitment mismatch: expected ${toHex(expected)}, got ${toHex(got)}. The Genesis entry of this log does not fit its own genesis input: use another log, or the genesis file its root was made for.`,
    {
      code: ReplayErrorCode.genesisRoot,
      expected: toHex(expected),
      got: toHex(got),
    },
  );
}
