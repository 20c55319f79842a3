/** What users of a simulated chain want: a small Genesis, accounts funded by deposits, signed transfers. Made once. */
import { type Bytes, ZERO_32, bytesKey } from '../../src/common/bytes.ts';
import { genesisEntry } from '../../src/genesis/genesisEntry.ts';
import type { Envelope, GenesisEntry } from '../../src/log/entry.ts';
import { type GenesisInput, genesisStateCommitment } from '../../src/protocol/genesis.ts';
import { FORCE_DEPLOYER_ADDRESS } from '../../src/protocol/systemAddresses.ts';
import { UPGRADE_TYPE } from '../../src/protocol/transaction.ts';
import { type L1TransactionFields, encodeL1Transaction } from '../../src/protocol/transactionCodec.ts';
import { ETHER, TEST_CHAIN_ID, aTransfer, anAddress, code, push } from '../support/factories.ts';
import { senderOf } from './simulatedNode.ts';

export const SIGNERS = 4;
export const NONCES = 8;
export const OTHER_CHAIN_ID = 271n;

const input: GenesisInput = {
  initialContracts: [[anAddress(0x10001), code(push(1), push(0), '55', '00')]],
  additionalStorage: [],
  executionVersion: 3,
  genesisRoot: ZERO_32,
};
const genesisRoot = genesisStateCommitment(input);

export function simulatedGenesis(
  ids: Pick<Envelope, 'logId' | 'nodeId' | 'bootId'>,
  chainId = TEST_CHAIN_ID,
): GenesisEntry {
  return genesisEntry(ids, {
    chainId,
    l1ChainId: 31337n,
    bridgehub: anAddress(0xb41d6e),
    input: { ...input, genesisRoot },
    upgradeTransaction: encodeL1Transaction({
      type: UPGRADE_TYPE,
      initiator: FORCE_DEPLOYER_ADDRESS,
      to: anAddress(0x10002),
      gasLimit: 72_000_000n,
      gasPerPubdataByteLimit: 800n,
      maxFeePerGas: 0n,
      maxPriorityFeePerGas: 0n,
      nonce: 29n,
      value: 0n,
      toMint: 0n,
      refundRecipient: new Uint8Array(20),
      input: new Uint8Array(4),
      factoryDeps: [],
    }),
    forceDeployPreimages: [],
  });
}

/** A transfer with its signature. */
export interface Wish {
  readonly signer: number;
  readonly nonce: number;
  readonly raw: Bytes;
  readonly key: string;
}

let prepared: Promise<readonly Wish[][]> | undefined;

/** By signer, then nonce. Signing is real and takes a moment: before the world begins. */
export function signedWishes(): Promise<readonly Wish[][]> {
  prepared ??= Promise.all(
    Array.from({ length: SIGNERS }, (_, signer) =>
      Promise.all(
        Array.from({ length: NONCES }, async (__, nonce): Promise<Wish> => {
          const to = anAddress(0x5000 + ((signer * 7 + nonce * 3) % 11));
          const { transaction } = await aTransfer(signer, { nonce: BigInt(nonce), value: BigInt(nonce + 1), to });
          senderOf(transaction.raw);
          return { signer, nonce, raw: transaction.raw, key: bytesKey(transaction.raw) };
        }),
      ),
    ),
  );
  return prepared;
}

/** Gives a signer what all of its transfers need. */
export function fundingDeposit(wishes: readonly Wish[][], signer: number): Partial<L1TransactionFields> {
  const raw = wishes[signer]?.[0]?.raw;
  if (raw === undefined) throw new RangeError(`there is no signer ${signer}`);
  return { to: senderOf(raw), value: ETHER };
}

export function plainDeposit(number: number): Partial<L1TransactionFields> {
  return { to: anAddress(0x6000 + (number % 5)), value: BigInt(1_000 + number) };
}
