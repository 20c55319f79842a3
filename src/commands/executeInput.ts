/** Input of `reprise execute`: state, context and transactions of one block in a JSON document (docs/execute.md). */
import { type Bytes, bytesKey } from '../common/bytes.ts';
import { blake2s256 } from '../common/hash.ts';
import { JsonReader } from '../common/jsonReader.ts';
import { blockContextFromJson } from '../consumers/blockContextJson.ts';
import {
  ACCOUNT_RECORD_LENGTH,
  accountRecordHash,
  deployedAccountFields,
  EMPTY_ACCOUNT_RECORD,
  encodeAccountRecord,
  StoredAccountRecord,
  storedCode,
} from '../protocol/accountRecord.ts';
import { type BlockContext, EXECUTION_VERSIONS } from '../protocol/replayRecord.ts';
import { ABSENT, type LoadedState, slotAnswer } from '../vm/loadedState.ts';
import { type Words, wordToBytes } from '../vm/words.ts';

const U64_MAX = 0xffff_ffff_ffff_ffffn;
const U256_MAX = (1n << 256n) - 1n;

export interface ExecuteInput {
  readonly context: BlockContext;
  readonly state: LoadedState;
  /** Envelopes, in order. */
  readonly transactions: readonly Bytes[];
}

/** State that is whole in memory: what was not put in is absent. */
class Prestate implements LoadedState {
  readonly #records = new Map<string, StoredAccountRecord>();
  readonly #values = new Map<string, Bytes>();
  readonly #preimages = new Map<string, Bytes>();

  putRecord(address: Bytes, record: Bytes): void {
    this.#records.set(bytesKey(address), new StoredAccountRecord(record));
    this.#preimages.set(bytesKey(accountRecordHash(record)), record);
  }

  putSlot(address: Bytes, slot: Bytes, value: Bytes): void {
    this.#values.set(bytesKey(address) + bytesKey(slot), value);
  }

  putPreimage(bytes: Bytes): void {
    this.#preimages.set(bytesKey(blake2s256(bytes)), bytes);
  }

  account(address: Bytes): StoredAccountRecord | typeof ABSENT {
    return this.#records.get(bytesKey(address)) ?? ABSENT;
  }

  slot(address: Bytes, words: Words, at: number, value: Words): boolean | undefined {
    return slotAnswer(this.#values.get(bytesKey(address) + bytesKey(wordToBytes(words, at))) ?? ABSENT, value);
  }

  preimage(hash: Bytes): Bytes | typeof ABSENT {
    return this.#preimages.get(bytesKey(hash)) ?? ABSENT;
  }
}

/** Balance, nonce and code in the stored form of a deployment; or the record itself, for what these cannot say. */
function putAccount(state: Prestate, address: Bytes, json: JsonReader): void {
  const record = json.optional('record');
  if (record !== undefined) {
    json.keysOf(['record']);
    state.putRecord(address, record.bytes(ACCOUNT_RECORD_LENGTH));
    return;
  }
  json.keysOf(['balance', 'nonce', 'code']);
  const code = json.optional('code')?.bytes();
  const stored = code === undefined || code.length === 0 ? undefined : storedCode(code);
  if (stored !== undefined) state.putPreimage(stored);
  state.putRecord(
    address,
    encodeAccountRecord({
      ...EMPTY_ACCOUNT_RECORD,
      ...(code !== undefined && stored !== undefined && deployedAccountFields(code, stored)),
      balance: json.optional('balance')?.integer(U256_MAX) ?? 0n,
      nonce: json.optional('nonce')?.integer(U64_MAX) ?? 0n,
    }),
  );
}

function prestateFromJson(json: JsonReader): Prestate {
  json.keysOf(['accounts', 'slots', 'preimages']);
  const state = new Prestate();
  for (const [address, account] of json.optional('accounts')?.entries() ?? [])
    putAccount(state, account.keyBytes(address, 20), account);
  for (const [address, slots] of json.optional('slots')?.entries() ?? []) {
    const owner = slots.keyBytes(address, 20);
    for (const [slot, value] of slots.entries()) state.putSlot(owner, value.keyBytes(slot, 32), value.bytes(32));
  }
  for (const preimage of json.optional('preimages')?.items() ?? []) state.putPreimage(preimage.bytes());
  return state;
}

function contextFromJson(json: JsonReader): BlockContext {
  const context = blockContextFromJson(json);
  if (!EXECUTION_VERSIONS.includes(context.executionVersion))
    json.field('execution_version').fail(`is none of ${EXECUTION_VERSIONS.join(', ')}`);
  return context;
}

/**
 * `file` only names the document in errors.
 * @throws NodeError JSON_INVALID with the file and the place in it
 */
export function parseExecuteInput(text: string, file: string): ExecuteInput {
  const json = JsonReader.parse(text, file).keysOf(['description', 'prestate', 'context', 'transactions']);
  json.optional('description')?.string();
  return {
    state: prestateFromJson(json.field('prestate')),
    context: contextFromJson(json.field('context')),
    transactions: json
      .field('transactions')
      .items()
      .map((item) => item.bytes()),
  };
}
