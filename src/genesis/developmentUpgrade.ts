/** The genesis upgrade of a development chain (spec: contracts 5): deploys ChainInfo by force and tells it about L1. */
import { type Bytes, ZERO_ADDRESS, bigIntToBytes, concatBytes, fromHex, padAddress } from '../common/bytes.ts';
import { blake2s256, keccak256 } from '../common/hash.ts';
import {
  COMPLEX_UPGRADER_ADDRESS,
  FORCE_DEPLOYER_ADDRESS,
  GENESIS_UPGRADE_ADDRESS,
} from '../protocol/systemAddresses.ts';
import { type L1Transaction, UPGRADE_TYPE } from '../protocol/transaction.ts';
import { encodeL1Transaction } from '../protocol/transactionCodec.ts';

export const CHAIN_INFO_ADDRESS: Bytes = fromHex('0x0000000000000000000000000000000000010020');

/** 0.29.0, packed as patch, minor and major of 32 bits each from the low end. */
export const DEVELOPMENT_PROTOCOL_VERSION = 29n << 32n;

const UPGRADE_NONCE = 29n;
const UPGRADE_GAS_LIMIT = 72_000_000n;
const UPGRADE_GAS_PER_PUBDATA = 800n;
/** upgrade(address,bytes) */
const UPGRADE_SELECTOR = fromHex('c987336c');
/** genesisUpgrade(bool,uint256,address,bytes,bytes) */
const GENESIS_UPGRADE_SELECTOR = fromHex('65ac45a0');
const WORD = 32;

export interface UpgradeFacts {
  readonly chainId: bigint;
  readonly l1ChainId: bigint;
  readonly bridgehub: Bytes;
  readonly forceDeployments: readonly (readonly [address: Bytes, code: Bytes])[];
}

/** The call that the upgrader delegates to the genesis upgrade contract. */
export function developmentUpgradeCall({ chainId, l1ChainId, bridgehub, forceDeployments }: UpgradeFacts): Bytes {
  const deployments = forceDeployments.map(([address, code]) =>
    concatBytes(padAddress(address), blake2s256(code), word(code.length), keccak256(code)),
  );
  const fixedData = concatBytes(
    word(2 * WORD),
    padAddress(CHAIN_INFO_ADDRESS),
    word(forceDeployments.length),
    ...deployments,
  );
  const chainData = concatBytes(word(l1ChainId), padAddress(bridgehub));
  const fixedTail = bytesTail(fixedData);
  return concatBytes(
    GENESIS_UPGRADE_SELECTOR,
    word(1), // this is ZKsync OS
    word(chainId),
    padAddress(ZERO_ADDRESS), // the deployer of bridged tokens; there are none
    word(5 * WORD),
    word(5 * WORD + fixedTail.length),
    fixedTail,
    bytesTail(chainData),
  );
}

/** The upgrade transaction as the chain contract on L1 writes it. */
export function developmentUpgrade(facts: UpgradeFacts): L1Transaction {
  return encodeL1Transaction({
    type: UPGRADE_TYPE,
    initiator: FORCE_DEPLOYER_ADDRESS,
    to: COMPLEX_UPGRADER_ADDRESS,
    gasLimit: UPGRADE_GAS_LIMIT,
    gasPerPubdataByteLimit: UPGRADE_GAS_PER_PUBDATA,
    maxFeePerGas: 0n,
    maxPriorityFeePerGas: 0n,
    nonce: UPGRADE_NONCE,
    value: 0n,
    toMint: 0n,
    refundRecipient: ZERO_ADDRESS,
    input: concatBytes(
      UPGRADE_SELECTOR,
      padAddress(GENESIS_UPGRADE_ADDRESS),
      word(2 * WORD),
      bytesTail(developmentUpgradeCall(facts)),
    ),
    factoryDeps: [],
  });
}

function word(value: number | bigint): Bytes {
  return bigIntToBytes(BigInt(value), WORD);
}

/** Length, bytes, padding to whole words. */
function bytesTail(bytes: Bytes): Bytes {
  return concatBytes(word(bytes.length), bytes, new Uint8Array((WORD - (bytes.length % WORD)) % WORD));
}
