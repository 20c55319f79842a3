import assert from 'node:assert/strict';
import { concatBytes, u64be } from '../../src/common/bytes.ts';
import {
  BATCHES,
  CHAIN,
  MERKLE_TREE,
  PRIORITY_TREE,
  PROJECTION_CHECKPOINT,
  REPOSITORIES,
  chainKey,
} from '../../src/store/buckets.ts';
import { encodeJournalEntry } from '../../src/store/journalCodec.ts';
import { keyText, valueDifferenceText } from '../../src/store/keyText.ts';
import { aJournal } from '../projections/journalFactory.ts';
import { filled } from '../support/logEntries.ts';

const hex = (byte: string, length = 32): string => `0x${byte.repeat(length)}`;

describe('store/keyText', () => {
  it('names the bucket and its parts, and shows the key as it is', () => {
    const history = chainKey(CHAIN.history, filled(0xab), u64be(12));
    assert.equal(
      keyText(history),
      `history, flat key ${hex('ab')}, block 12 (key 0x12${'ab'.repeat(32)}000000000000000c)`,
    );
    const group = Uint8Array.of(REPOSITORIES.receipts, 0, 0, 0, 0, 1, 0, 0, 0, 0, 7);
    assert.equal(keyText(group), 'receipts, block 256, first transaction 7 (key 0x2500000000010000000007)');
    assert.equal(
      keyText(chainKey(CHAIN.meta, new TextEncoder().encode('genesis'))),
      'meta genesis (key 0x1067656e65736973)',
    );
    assert.equal(keyText(PROJECTION_CHECKPOINT), 'the checkpoint (key 0x00)');
    assert.equal(keyText(Uint8Array.of(MERKLE_TREE.indexSize)), 'indexSize (key 0x43)');
  });

  it('shows keys of no known shape as hex alone', () => {
    assert.equal(keyText(Uint8Array.of(0xee, 1)), 'key 0xee01');
    assert.equal(keyText(chainKey(CHAIN.journal, u64be(1), filled(9, 1))), 'key 0x14000000000000000109');
  });

  it('knows every bucket of every store', () => {
    for (const buckets of [CHAIN, REPOSITORIES, MERKLE_TREE, BATCHES, PRIORITY_TREE]) {
      for (const [name, bucket] of Object.entries(buckets)) {
        const keys = Array.from({ length: 65 }, (_, length) =>
          keyText(new Uint8Array(length + 1).fill(1).fill(bucket, 0, 1)),
        );
        assert.ok(
          keys.some((text) => text.startsWith(`${name} `) || text.startsWith(`${name},`) || text.startsWith('meta ')),
          name,
        );
      }
    }
  });

  it('decodes what state holds', () => {
    const key = chainKey(CHAIN.latest, filled(1));
    const [stored, expected] = [7n, 9n].map((height) => concatBytes(u64be(height), filled(0x22)));
    assert.equal(
      valueDifferenceText(key, stored, expected),
      `is ${hex('22')} written in block 7, it should be ${hex('22')} written in block 9`,
    );
    assert.equal(
      valueDifferenceText(key, undefined, expected),
      `is missing, it should be ${hex('22')} written in block 9`,
    );
    assert.equal(
      valueDifferenceText(key, concatBytes(u64be(1), filled(2), filled(3, 124)), undefined),
      `is stored and should not be: ${hex('02')} written in block 1 with account record ${hex('03', 124)}`,
    );
  });

  it('names the field of a journal entry, and what cannot be decoded', () => {
    const entry = aJournal({ blocks: 2 }).at(-1);
    assert.ok(entry?.event.kind === 'Block');
    const key = chainKey(CHAIN.journal, u64be(entry.index));
    const expected = encodeJournalEntry(entry);
    const { output } = entry.event;
    const [first, ...others] = output.transactions;
    assert.ok(first);
    const changed = { ...output, transactions: [{ ...first, gasUsed: first.gasUsed + 1n }, ...others] };
    assert.equal(
      valueDifferenceText(key, encodeJournalEntry({ ...entry, event: { ...entry.event, output: changed } }), expected),
      `differs in entry.event.output.transactions[0].gasUsed: it is ${first.gasUsed + 1n}, it should be ${first.gasUsed}`,
    );
    assert.match(valueDifferenceText(key, expected.slice(0, 9), expected), /^cannot be decoded \(.+\): it is 0x/);
  });

  it('shows the bytes around the first that differs elsewhere', () => {
    const key = Uint8Array.of(BATCHES.progress);
    const [stored, expected] = [filled(5, 100), filled(5, 100).fill(6, 70, 71)];
    assert.equal(
      valueDifferenceText(key, stored, expected),
      `differs from byte 70 on: it is ${hex('05', 30)}, it should be 0x06${'05'.repeat(29)}`,
    );
  });
});
