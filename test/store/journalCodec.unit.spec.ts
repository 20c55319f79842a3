import assert from 'node:assert/strict';
import { toHex } from '../../src/common/bytes.ts';
import type { Preimage } from '../../src/protocol/blockOutput.ts';
import type { BatchSealed, CanonicalBlock, JournalEntry, SettlementEvent } from '../../src/store/journal.ts';
import { decodeJournalEntry, encodeJournalEntry } from '../../src/store/journalCodec.ts';
import { hasCode } from '../contracts/keyValueStore.contract.ts';
import { aJournal } from '../projections/journalFactory.ts';
import { aCommitInfo, filled } from '../support/logEntries.ts';

describe('store/journalCodec', () => {
  it('gives back every entry, field by field', () => {
    for (const entry of aJournal({ blocks: 30, transactionsPerBlock: 8, logsPerTransaction: 1.5, seed: 3 })) {
      assert.deepEqual(decodeJournalEntry(encodeJournalEntry(entry)), entry);
    }
  });

  it('gives back an empty block', () => {
    const entry = blockEntry({ transactionsPerBlock: 0 });
    assert.deepEqual(decodeJournalEntry(encodeJournalEntry(entry)), entry);
  });

  it('encodes what it decoded to the same bytes', () => {
    const encoded = encodeJournalEntry(blockEntry({ transactionsPerBlock: 20 }));
    assert.equal(toHex(encodeJournalEntry(decodeJournalEntry(encoded))), toHex(encoded));
  });

  it('stores an account record once: in its write, not as a preimage again', () => {
    const entry = blockEntry({ transactionsPerBlock: 50, largeInputShare: 0 });
    const block = entry.event as CanonicalBlock;
    const accounts = block.output.writes.filter((write) => write.accountRecord !== undefined).length;
    const others = block.output.preimages.map(({ hash, bytes }): Preimage => ({
      hash: hash.map((byte) => byte ^ 1),
      bytes,
    }));
    const withOthers: JournalEntry = { ...entry, event: { ...block, output: { ...block.output, preimages: others } } };
    const saved = encodeJournalEntry(withOthers).length - encodeJournalEntry(entry).length;
    assert.ok(saved >= accounts * (32 + 124), `${saved} bytes saved for ${accounts} records`);
    assert.deepEqual(decodeJournalEntry(encodeJournalEntry(withOthers)), withOthers);
  });

  it('keeps a preimage that only looks like the record of a write', () => {
    const entry = blockEntry({ transactionsPerBlock: 3 });
    const block = entry.event as CanonicalBlock;
    const preimages = block.output.preimages.map(({ hash, bytes }): Preimage => ({
      hash,
      bytes: bytes.map((byte) => byte ^ 1),
    }));
    const changed: JournalEntry = { ...entry, event: { ...block, output: { ...block.output, preimages } } };
    assert.deepEqual(decodeJournalEntry(encodeJournalEntry(changed)), changed);
  });

  it('keeps two accounts with the same record', () => {
    const entry = blockEntry({ transactionsPerBlock: 2 });
    const block = entry.event as CanonicalBlock;
    const [first] = block.output.writes.filter((write) => write.accountRecord !== undefined);
    assert.ok(first !== undefined);
    const twin = { ...first, flatKey: first.flatKey.map((byte) => byte ^ 1), slot: first.slot.slice() };
    twin.slot[31] = (twin.slot[31] ?? 0) ^ 1;
    const changed: JournalEntry = {
      ...entry,
      event: { ...block, output: { ...block.output, writes: [...block.output.writes, twin] } },
    };
    assert.deepEqual(decodeJournalEntry(encodeJournalEntry(changed)), changed);
  });

  it('survives a structured clone, storage writes included', () => {
    const entry = decodeJournalEntry(encodeJournalEntry(blockEntry({ transactionsPerBlock: 2 })));
    assert.deepEqual(structuredClone(entry), entry);
  });

  it('gives memory of its own', () => {
    const first = encodeJournalEntry(blockEntry({ seed: 1 }));
    const copy = first.slice();
    encodeJournalEntry(blockEntry({ seed: 2 }));
    assert.deepEqual(first, copy);
    assert.equal(first.buffer.byteLength, first.length);
  });

  it('gives back settlement events, which the chain store has held as these bytes since layout 2', () => {
    const proof = { key: 'fri/é', hash: filled(0x61) };
    const commitInfo = aCommitInfo({ upgradeTxHash: filled(0x57), chainId: 2n ** 64n - 1n });
    const seal: BatchSealed = {
      kind: 'BatchSealed',
      position: 300,
      batch: 4,
      firstBlock: 9,
      lastBlock: 12,
      storedBatchHash: filled(0x51),
      reason: 'timeout',
      commitInfo,
    };
    const golden: readonly (readonly [SettlementEvent, string])[] = [
      [
        seal,
        '0x020102ac0204090c51515151515151515151515151515151515151515151515151515151515151510774696d656f7574010152525252525252525252525252525252525252525252525252525252525252520053535353535353535353535353535353535353535353535353535353535353530000000000000000000000000000000000000000000000000000000000000000545454545454545454545454545454545454545454545454545454545454545400000000000000000000000000000000000000005555555555555555555555555555555555555555555555555555555555555555046553f100046553f10008ffffffffffffffff0000000000000000000000000000000000000000015757575757575757575757575757575757575757575757575757575757575757',
      ],
      [
        { kind: 'FriProved', position: 5, batch: 4, proofKind: 'real', proof },
        '0x020103050400066672692fc3a96161616161616161616161616161616161616161616161616161616161616161',
      ],
      [
        { kind: 'SnarkProved', position: 6, fromBatch: 2, toBatch: 4, proofKind: 'fake', proof },
        '0x02010406020401066672692fc3a96161616161616161616161616161616161616161616161616161616161616161',
      ],
      [
        {
          kind: 'L1Progress',
          position: 7,
          committed: 4,
          proved: 3,
          executed: 2,
          l1BlockNumber: 2n ** 64n - 1n,
          l1BlockHash: filled(0x71),
        },
        '0x0201050704030208ffffffffffffffff7171717171717171717171717171717171717171717171717171717171717171',
      ],
    ];
    for (const [event, hex] of golden) {
      const encoded = encodeJournalEntry({ index: 1, event });
      assert.equal(toHex(encoded), hex, event.kind);
      assert.deepEqual(decodeJournalEntry(encoded), { index: 1, event });
      assert.throws(() => decodeJournalEntry(encoded.slice(0, -1)), hasCode('STORE_DAMAGED'));
      assert.throws(() => decodeJournalEntry(Uint8Array.from([...encoded, 0])), hasCode('STORE_DAMAGED'));
    }
    const noUpgrade: BatchSealed = { ...seal, commitInfo: aCommitInfo() };
    assert.deepEqual(decodeJournalEntry(encodeJournalEntry({ index: 1, event: noUpgrade })).event, noUpgrade);
  });

  it('refuses another layout, an unknown kind and damaged bytes', () => {
    const encoded = encodeJournalEntry(blockEntry({ transactionsPerBlock: 2 }));
    assert.throws(() => decodeJournalEntry(changed(encoded, 0, 9)), hasCode('JOURNAL_ENTRY_VERSION'));
    assert.throws(() => decodeJournalEntry(changed(encoded, 2, 77)), hasCode('STORE_DAMAGED'));
    assert.throws(() => decodeJournalEntry(encoded.slice(0, 400)), hasCode('STORE_DAMAGED'));
    const cut = decodeJournalEntry(encoded.slice(0, -1)).event as CanonicalBlock;
    assert.throws(() => cut.output.writes, hasCode('STORE_DAMAGED'));
    assert.throws(() => decodeJournalEntry(new Uint8Array(0)), hasCode('STORE_DAMAGED'));
  });

  it('refuses fields of a wrong length instead of storing them', () => {
    const entry = blockEntry({ transactionsPerBlock: 1 });
    const block = entry.event as CanonicalBlock;
    const wrong: JournalEntry = { ...entry, event: { ...block, senders: [new Uint8Array(19)] } };
    assert.throws(() => encodeJournalEntry(wrong), RangeError);
    assert.deepEqual(decodeJournalEntry(encodeJournalEntry(entry)), entry);
  });
});

function blockEntry(shape: Parameters<typeof aJournal>[0]): JournalEntry {
  const entry = aJournal({ ...shape, blocks: 1 })[1];
  assert.ok(entry !== undefined);
  return entry;
}

function changed(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = bytes.slice();
  copy[at] = value;
  return copy;
}
