import assert from 'node:assert/strict';
import { genesisContent } from '../../src/consumers/genesisBlock.ts';
import { developmentGenesisEntry } from '../../src/genesis/developmentGenesis.ts';
import type { GenesisEntry } from '../../src/log/entry.ts';
import { encodeEntry } from '../../src/log/entryCodec.ts';
import { BOOT_ID, LOG_ID, NODE_ID, filled } from '../support/logEntries.ts';

function contentOf(entry: GenesisEntry) {
  const { bytes, schema } = encodeEntry(entry);
  return genesisContent(entry, { position: 3, key: 'Genesis', schema, bytes });
}

describe('genesisBlock', () => {
  const entry = developmentGenesisEntry({ logId: LOG_ID, nodeId: NODE_ID, bootId: BOOT_ID });

  it('makes block 0 of a Genesis entry', () => {
    const { chainId, position, context } = contentOf(entry);
    assert.deepEqual([chainId, position, context.executionVersion], [270n, 3, entry.genesisInput.executionVersion]);
  });

  it('refuses an entry whose roots are not those of its input', () => {
    const wrong: readonly Partial<GenesisEntry>[] = [
      { genesisRoot: filled(1) },
      { genesisInput: { ...entry.genesisInput, genesisRoot: filled(1) } },
      { genesisInput: { ...entry.genesisInput, additionalStorage: [{ key: filled(3), value: filled(4) }] } },
    ];
    for (const [i, change] of wrong.entries())
      assert.throws(
        () => contentOf({ ...entry, ...change }),
        { code: 'GENESIS_ROOT_MISMATCH', message: /state commitment mismatch/ },
        `case ${i}`,
      );
  });
});
