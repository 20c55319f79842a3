/**
 * The blocks of test/fixtures/execute. `node test/execute/writeExamples.ts` writes them anew; the figures of most are
 * worked out by hand in test/vm/worked*.unit.spec.ts.
 */
import { type Bytes, fromHex, padAddress, toHex } from '../../src/common/bytes.ts';
import { blake2s256, keccak256 } from '../../src/common/hash.ts';
import { blockContextToJson } from '../../src/consumers/blockContextJson.ts';
import type { BlockContext } from '../../src/protocol/replayRecord.ts';
import type { SenderedTransaction } from '../../src/protocol/transaction.ts';
import type { L1TransactionFields } from '../../src/protocol/transactionCodec.ts';
import {
  aBlockContext,
  anAddress,
  anL1Transaction,
  aSignedTransaction,
  aSigner,
  aWord,
  code,
  concat,
  ETHER,
  initCodeOf,
  push,
} from '../support/factories.ts';
import type { L2Options } from '../support/factories.ts';

interface ExampleAccount {
  readonly balance?: bigint;
  readonly nonce?: bigint;
  readonly code?: Bytes;
  readonly slots?: readonly (readonly [Bytes, Bytes])[];
}

interface Example {
  readonly description: string;
  readonly accounts?: readonly (readonly [Bytes, ExampleAccount])[];
  readonly preimages?: readonly Bytes[];
  readonly context?: Partial<BlockContext>;
  readonly transactions: readonly (Bytes | SenderedTransaction | Promise<SenderedTransaction>)[];
}

export const ALICE: Bytes = fromHex(aSigner(0).address);
export const CAROL: Bytes = fromHex(aSigner(2).address);
export const BOB = anAddress(0xb0b);
export const DEPOSITOR = anAddress(0xa11ce);
export const REFUND = anAddress(0x4ef);
export const CONTRACT = anAddress(0xc0de);
export const FORCED_TARGET = anAddress(0x10002);
const UPGRADER = anAddress(0x800f);

/** keccak256(holder, 0): where TOKEN keeps a balance. */
export function balanceSlot(holder: Bytes): Bytes {
  return keccak256(concat(padAddress(holder), aWord(0)));
}

export const TRANSFER_TOPIC: Bytes = keccak256(new Uint8Array(Buffer.from('Transfer(address,address,uint256)')));

/** A token that knows transfer(address,uint256) alone, one opcode after the other as the worked block counts them. */
export const TOKEN: Bytes = code(
  ...[0x33, 0x5f, 0x52, '6040', 0x5f, 0x20, 0x80, 0x54], // slot of the caller, its balance
  ...['6024', 0x35, 0x90, 0x81, 0x81, 0x10, '605b', 0x57], // amount; short of it: jump
  ...[0x81, 0x90, 0x03, 0x90, 0x91, 0x55], // balance less amount
  ...['6004', 0x35, 0x5f, 0x52, '6040', 0x5f, 0x20, 0x80, 0x54], // slot of the recipient, its balance
  ...[0x82, 0x01, 0x90, 0x55], // balance and amount
  ...[0x5f, 0x52, '6004', 0x35, 0x33, concat(code(0x7f), TRANSFER_TOPIC), '6020', 0x5f, 0xa3], // Transfer event
  ...['6001', 0x5f, 0x52, '6020', 0x5f, 0xf3, 0x5b, 0x5f, 0x5f, 0xfd], // true; the target of the jump reverts
);

/** SSTORE(0, 1) */
export const STORES_ONE: Bytes = code('6001', 0x5f, 0x55, 0x00);

/** Calls the pairing check with 2,290 pairs and a byte more: native is due before the length is looked at. */
export const NATIVE_BURNER: Bytes = code(0x5f, 0x5f, push(192 * 2_290 + 1), 0x5f, 0x5f, '6008', 0x5a, 0xf1, 0x00);

/** The runtime code that 08-deployment leaves: answers 42. */
export const ANSWER: Bytes = code('602a', 0x5f, 0x52, '6020', 0x5f, 0xf3);

/** CREATE with 5 wei of init code that writes slot 0 and destroys itself in favour of BOB. */
export const DESTROYER: Bytes = code(
  ...['67', STORES_ONE.subarray(0, 4), '610b0b', 0xff, 0x5f, 0x52], // init code, eight bytes, at the end of word 0
  ...['6008', '6018', '6005', 0xf0, 0x00],
);

/** What 20-upgrade puts at FORCED_TARGET. */
export const FORCED: Bytes = code('6003', 0x56, 0x5b, 0x00);

const aliceIsRich = [ALICE, { balance: ETHER }] as const;
const alice = (options: L2Options): Promise<SenderedTransaction> => aSignedTransaction(0, options);
const carol = (options: L2Options): Promise<SenderedTransaction> => aSignedTransaction(2, options);
const deposit = (fields: Partial<L1TransactionFields>): Bytes =>
  anL1Transaction({ initiator: DEPOSITOR, refundRecipient: REFUND, ...fields }).raw;

export const TOKEN_CALL: Bytes = concat(fromHex('a9059cbb'), padAddress(BOB), aWord(7));
export const MESSAGE_CALL: Bytes = concat(
  fromHex('62f84b24'),
  aWord(32),
  aWord(5),
  Buffer.from('hello'),
  new Uint8Array(27),
);
export const WITHDRAW_CALL: Bytes = concat(fromHex('51cff8d9'), padAddress(BOB));

/** Name of the file without its ending, and what it holds. */
export const EXAMPLES: Readonly<Record<string, Example>> = {
  '01-transfer': {
    description: 'A legacy transfer of 5 wei between existing accounts.',
    accounts: [aliceIsRich, [BOB, { balance: 1n }]],
    transactions: [alice({ type: 0, to: BOB, value: 5n, gasLimit: 21_000n })],
  },
  '02-deposit': {
    description: 'A deposit of 2^64 wei to the absent account that made it; the rest goes to another.',
    transactions: [deposit({ to: DEPOSITOR, value: 1n << 64n, gasLimit: 300_000n })],
  },
  '03-deposit-reverts': {
    description: 'A deposit that calls a contract which reverts: status 0, the value goes to the refund recipient.',
    accounts: [[CONTRACT, { nonce: 1n, code: code(0x5f, 0x5f, 0xfd) }]],
    transactions: [deposit({ to: CONTRACT, value: 9n, gasLimit: 300_000n })],
  },
  '04-deposit-pays-by-pubdata': {
    description: 'A deposit whose gas is its pubdata at 800 per byte, not what the EVM used.',
    accounts: [[CONTRACT, { nonce: 1n, code: STORES_ONE }]],
    transactions: [deposit({ to: CONTRACT, value: 9n, gasLimit: 300_000n })],
  },
  '05-deposit-cannot-pay-pubdata': {
    description: 'The same deposit with too little gas for its pubdata: taken back, status 0.',
    accounts: [[CONTRACT, { nonce: 1n, code: STORES_ONE }]],
    transactions: [deposit({ to: CONTRACT, value: 9n, gasLimit: 110_000n })],
  },
  '06-erc20-fresh-slot': {
    description: 'A token transfer to a holder without a balance.',
    accounts: [aliceIsRich, [CONTRACT, { nonce: 1n, code: TOKEN, slots: [[balanceSlot(ALICE), aWord(1_000)]] }]],
    transactions: [alice({ to: CONTRACT, input: TOKEN_CALL })],
  },
  '07-erc20-known-slot': {
    description: 'A token transfer to a holder with a balance.',
    accounts: [
      aliceIsRich,
      [
        CONTRACT,
        {
          nonce: 1n,
          code: TOKEN,
          slots: [
            [balanceSlot(ALICE), aWord(1_000)],
            [balanceSlot(BOB), aWord(300)],
          ],
        },
      ],
    ],
    transactions: [alice({ to: CONTRACT, input: TOKEN_CALL })],
  },
  '08-deployment': {
    description: 'A transaction that deploys a contract of eight bytes.',
    accounts: [aliceIsRich],
    transactions: [alice({ to: null, input: initCodeOf(ANSWER) })],
  },
  '09-message-to-l1': {
    description: 'sendToL1("hello"), straight from an account without code.',
    accounts: [aliceIsRich],
    transactions: [alice({ to: anAddress(0x8008), input: MESSAGE_CALL })],
  },
  '10-withdrawal': {
    description: 'withdraw(address) of one ether.',
    accounts: [[ALICE, { balance: 2n * ETHER }]],
    transactions: [alice({ to: anAddress(0x800a), input: WITHDRAW_CALL, value: ETHER })],
  },
  '11-revert-after-writes': {
    description: 'A contract that writes a slot and reverts with a word.',
    accounts: [
      aliceIsRich,
      [CONTRACT, { nonce: 1n, code: code('6001', 0x5f, 0x55, '60aa', 0x5f, 0x52, '6020', 0x5f, 0xfd) }],
    ],
    transactions: [alice({ to: CONTRACT, value: 3n })],
  },
  '12-native-exhausted': {
    description: 'At 10 native per gas the third write of a fresh slot finds no native: all gas is used.',
    accounts: [
      aliceIsRich,
      [CONTRACT, { nonce: 1n, code: code(...[0, 1, 2].flatMap((slot) => ['6001', push(slot), 0x55])) }],
    ],
    context: { nativePrice: 100n },
    transactions: [alice({ to: CONTRACT, gasLimit: 200_000n })],
  },
  '13-seal-gas-limit': {
    description: 'The third transfer does not fit the gas of the block; the fourth is not looked at.',
    accounts: [aliceIsRich],
    context: { gasLimit: 60_000n },
    transactions: [0n, 1n, 2n, 3n].map((nonce) => alice({ to: BOB, value: 1n, gasLimit: 21_000n, nonce })),
  },
  '14-seal-native-cycles': {
    description: 'A rich deposit runs out of native and counts 2^35: nothing fits behind it.',
    accounts: [aliceIsRich, [CONTRACT, { nonce: 1n, code: NATIVE_BURNER }]],
    transactions: [deposit({ to: CONTRACT, gasLimit: 90_000_000n }), alice({ to: BOB, value: 1n, gasLimit: 21_000n })],
  },
  '15-seal-pubdata': {
    description: 'The first transfer has 113 bytes, which is the limit of the block; the second does not fit.',
    accounts: [aliceIsRich, [BOB, { balance: 1n }], [CAROL, { balance: ETHER }]],
    context: { pubdataLimit: 113n },
    transactions: [
      alice({ type: 0, to: BOB, value: 5n, gasLimit: 21_000n }),
      carol({ type: 0, to: BOB, value: 5n, gasLimit: 21_000n }),
    ],
  },
  '16-seal-other': {
    description: 'A deposit that could not even pay for the diff of the coinbase which the first one left.',
    transactions: [
      deposit({ to: BOB, gasLimit: 300_000n }),
      deposit({ to: BOB, gasLimit: 110_000n, gasPerPubdataByteLimit: 1_000n, nonce: 1n }),
    ],
  },
  '17-native-lifts-gas': {
    description: 'With a base fee of 50 the native of a transfer costs more gas than the EVM does.',
    accounts: [aliceIsRich, [BOB, { balance: 1n }]],
    context: { eip1559BaseFee: 50n, pubdataPrice: 0n },
    transactions: [alice({ type: 0, to: BOB, value: 5n, maxFeePerGas: 50n })],
  },
  '18-rejected': {
    description:
      'What a builder passes over: no encoding, a nonce gap, too little money, a low fee; then one that runs.',
    accounts: [aliceIsRich],
    transactions: [
      Uint8Array.of(2, 0xc0),
      alice({ to: BOB, nonce: 1n }),
      carol({ to: BOB }),
      alice({ to: BOB, maxFeePerGas: 999n }),
      alice({ to: BOB, value: 5n, gasLimit: 20_999n }),
      alice({ to: BOB, value: 5n, gasLimit: 21_000n }),
    ],
  },
  '19-access-list': {
    description: 'An EIP-2930 transfer that warms a contract and two of its slots, one of them twice.',
    accounts: [aliceIsRich, [BOB, { balance: 1n }], [CONTRACT, { nonce: 1n, slots: [[aWord(7), aWord(5)]] }]],
    transactions: [
      alice({
        type: 1,
        to: BOB,
        value: 5n,
        accessList: [{ address: CONTRACT, slots: [aWord(7), aWord(8), aWord(7)] }],
      }),
    ],
  },
  '20-upgrade': {
    description: 'The upgrade transaction of block 1 force-deploys five bytes of code.',
    accounts: [[FORCED_TARGET, { balance: 7n, nonce: 2n }]],
    preimages: [FORCED],
    transactions: [
      anL1Transaction({
        type: 0x7e,
        initiator: UPGRADER,
        to: anAddress(0x8006),
        gasLimit: 72_000_000n,
        maxFeePerGas: 0n,
        refundRecipient: anAddress(0),
        nonce: 29n,
        input: concat(
          fromHex('f6eca0b0'),
          padAddress(FORCED_TARGET),
          blake2s256(FORCED),
          aWord(FORCED.length),
          keccak256(FORCED),
        ),
      }).raw,
    ],
  },
  '21-coinbase-counts-again': {
    description: 'A transfer, then a deposit: the diff of the coinbase counts in the second.',
    accounts: [aliceIsRich, [BOB, { balance: 1n }]],
    transactions: [
      alice({ type: 0, to: BOB, value: 5n, gasLimit: 21_000n }),
      deposit({ to: DEPOSITOR, value: 1n << 64n, gasLimit: 300_000n }),
    ],
  },
  '22-created-and-destroyed': {
    description: 'A contract is created with a value, destroys itself in its constructor and leaves no trace.',
    accounts: [aliceIsRich, [BOB, { balance: 1n }], [CONTRACT, { nonce: 1n, balance: 8n, code: DESTROYER }]],
    transactions: [alice({ to: CONTRACT, gasLimit: 200_000n })],
  },
};

function accountToJson({ balance, nonce, code: bytecode }: ExampleAccount): object {
  return {
    ...(balance !== undefined && { balance: balance.toString() }),
    ...(nonce !== undefined && { nonce: nonce.toString() }),
    ...(bytecode !== undefined && { code: toHex(bytecode) }),
  };
}

/** The input document of `reprise execute`. */
export async function exampleInput(example: Example): Promise<object> {
  const accounts = example.accounts ?? [];
  const context: Record<string, unknown> = { ...blockContextToJson(aBlockContext(example.context)) };
  delete context['block_hashes']; // all zero
  const envelopes = await Promise.all(example.transactions.map((envelope) => Promise.resolve(envelope)));
  return {
    description: example.description,
    prestate: {
      accounts: Object.fromEntries(accounts.map(([address, account]) => [toHex(address), accountToJson(account)])),
      slots: Object.fromEntries(
        accounts
          .filter(([, { slots }]) => slots !== undefined)
          .map(([address, { slots = [] }]) => [
            toHex(address),
            Object.fromEntries(slots.map(([slot, value]) => [toHex(slot), toHex(value)])),
          ]),
      ),
      preimages: (example.preimages ?? []).map(toHex),
    },
    context,
    transactions: envelopes.map((envelope) =>
      toHex(envelope instanceof Uint8Array ? envelope : envelope.transaction.raw),
    ),
  };
}
