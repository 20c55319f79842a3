/**
 * `addresses`: in which transactions an address appears, and where a contract comes from (design.md 6, spec: rpc 13).
 * Only what the journal shows without executing again: calls between contracts leave no trace in it.
 */
import { type Bytes, asBuffer, bytesKey, equalBytes } from '../common/bytes.ts';
import { assert } from '../common/errors.ts';
import { codeHashOfRecord } from '../protocol/accountRecord.ts';
import type { TransactionOutput } from '../protocol/blockOutput.ts';
import { ACCOUNT_PROPERTIES_ADDRESS } from '../protocol/systemAddresses.ts';
import { ADDRESSES } from '../store/buckets.ts';
import type { KeyValueStore } from '../store/keyValueStore.ts';
import type { AddressesReader, AppearancePage, AppearanceQuery, Creation } from './addressesReader.ts';
import type { CanonicalBlock, JournalEntry, Projection, StoreTx } from './projection.ts';
import { transactionOutline } from './transactionOutline.ts';
import type { TransactionPlace } from './transactionPlace.ts';

const ADDRESS = 20;
const HEIGHT = 6;
const INDEX = 4;
const PLACE = HEIGHT + INDEX;
const INDEX_MAX = 2 ** 32 - 1;

/** Why an address appears in a transaction: bits of the stored byte. */
const ROLES = { sender: 1, recipient: 2, created: 4, emitter: 8 } as const;

export const addresses: Projection<AddressesReader> = {
  name: 'addresses',
  version: 1,
  apply,
  reader: (store) => new StoredAddresses(store),
};

async function apply({ event }: JournalEntry, tx: StoreTx): Promise<void> {
  if (event.kind !== 'Block') return;
  const { height, record, output, senders } = event;
  const created = new Set<string>();
  for (const [transactionIndex, raw] of record.transactions.entries()) {
    const sender = senders[transactionIndex];
    const result = output.transactions[transactionIndex];
    assert(
      sender !== undefined && result !== undefined,
      `transaction ${transactionIndex} of block ${height} is incomplete`,
    );
    const place = { blockNumber: height, transactionIndex };
    for (const { address, roles } of addressesOf(sender, transactionOutline(raw).to, result))
      tx.put(appearanceKey(address, place), Uint8Array.of(roles));
    const { success, contractAddress } = result;
    if (!success || contractAddress === undefined) continue;
    created.add(bytesKey(contractAddress));
    tx.put(addressKey(ADDRESSES.creation, contractAddress), encodeCreation(place, sender));
  }
  await applyOtherCreations(event, created, tx);
}

interface Appearance {
  readonly address: Bytes;
  roles: number;
}

/** Each once. */
function addressesOf(sender: Bytes, to: Bytes | undefined, result: TransactionOutput): Iterable<Appearance> {
  const found = new Map<string, Appearance>();
  const add = (address: Bytes | undefined, role: number): void => {
    if (address === undefined) return;
    const key = bytesKey(address);
    const known = found.get(key);
    if (known === undefined) found.set(key, { address, roles: role });
    else known.roles |= role;
  };
  add(sender, ROLES.sender);
  add(to, ROLES.recipient);
  add(result.contractAddress, ROLES.created);
  for (const { address } of result.logs) add(address, ROLES.emitter);
  return found.values();
}

/**
 * Contracts that no transaction created by itself: accounts whose code was deployed in this block. An account that had the
 * same code before is known already, unless it had it in genesis; then nobody is found who created it.
 */
async function applyOtherCreations(
  { height, output }: CanonicalBlock,
  created: ReadonlySet<string>,
  tx: StoreTx,
): Promise<void> {
  const candidates: Bytes[] = [];
  let deployed: Set<string> | undefined;
  for (const { address, slot, accountRecord } of output.writes) {
    if (accountRecord === undefined || !equalBytes(address, ACCOUNT_PROPERTIES_ADDRESS)) continue;
    const codeHash = codeHashOfRecord(accountRecord);
    if (codeHash === undefined) continue;
    deployed ??= new Set(output.preimages.map(({ hash }) => bytesKey(hash)));
    const account = slot.subarray(slot.length - ADDRESS);
    if (deployed.has(bytesKey(codeHash)) && !created.has(bytesKey(account))) candidates.push(account);
  }
  if (candidates.length === 0) return;
  const keys = candidates.map((account) => addressKey(ADDRESSES.creation, account));
  const known = await tx.getMany(keys);
  keys.forEach((key, i) => {
    if (known[i] === undefined) tx.put(key, encodeHeight(height));
  });
}

function addressKey(bucket: number, address: Bytes): Bytes {
  const key = new Uint8Array(1 + ADDRESS);
  key[0] = bucket;
  key.set(address, 1);
  return key;
}

function appearanceKey(address: Bytes, place: TransactionPlace): Bytes {
  const key = new Uint8Array(1 + ADDRESS + PLACE);
  key[0] = ADDRESSES.appearance;
  key.set(address, 1);
  writePlace(key, 1 + ADDRESS, place);
  return key;
}

function writePlace(out: Bytes, offset: number, { blockNumber, transactionIndex }: TransactionPlace): void {
  const view = asBuffer(out);
  view.writeUIntBE(blockNumber, offset, HEIGHT);
  view.writeUInt32BE(transactionIndex, offset + HEIGHT);
}

function readPlace(bytes: Bytes, offset: number): TransactionPlace {
  const view = asBuffer(bytes);
  return {
    blockNumber: view.readUIntBE(offset, HEIGHT),
    transactionIndex: view.readUInt32BE(offset + HEIGHT),
  };
}

function encodeHeight(height: number): Bytes {
  const value = new Uint8Array(HEIGHT);
  asBuffer(value).writeUIntBE(height, 0, HEIGHT);
  return value;
}

function encodeCreation(place: TransactionPlace, creator: Bytes): Bytes {
  const value = new Uint8Array(PLACE + ADDRESS);
  writePlace(value, 0, place);
  value.set(creator, PLACE);
  return value;
}

class StoredAddresses implements AddressesReader {
  readonly #store: KeyValueStore;

  constructor(store: KeyValueStore) {
    this.#store = store;
  }

  async appearances({ address, fromBlock, toBlock, newestFirst, size }: AppearanceQuery): Promise<AppearancePage> {
    const places: TransactionPlace[] = [];
    if (fromBlock > toBlock) return { places, isComplete: true };
    const range = {
      gte: appearanceKey(address, { blockNumber: fromBlock, transactionIndex: 0 }),
      lte: appearanceKey(address, { blockNumber: toBlock, transactionIndex: INDEX_MAX }),
      reverse: newestFirst,
    };
    for await (const [key] of this.#store.range(range)) {
      const place = readPlace(key, 1 + ADDRESS);
      if (places.length >= size && places.at(-1)?.blockNumber !== place.blockNumber)
        return { places, isComplete: false };
      places.push(place);
    }
    return { places, isComplete: true };
  }

  async creation(address: Bytes): Promise<Creation | undefined> {
    const value = await this.#store.get(addressKey(ADDRESSES.creation, address));
    if (value === undefined) return undefined;
    if (value.length === HEIGHT) return { kind: 'block', blockNumber: asBuffer(value).readUIntBE(0, HEIGHT) };
    return { kind: 'transaction', place: readPlace(value, 0), creator: value.slice(PLACE) };
  }
}
