import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { bytesToBigInt, compareBytes, fromHex, toHex } from '../../src/common/bytes.ts';
import { blake2s256 } from '../../src/common/hash.ts';
import { decodeAccountRecord } from '../../src/protocol/accountRecord.ts';
import { ProtocolError } from '../../src/protocol/errors.ts';
import {
  BLOCK_1_BLOCK_HASHES,
  checkGenesisRoot,
  forceDeployPreimages,
  GENESIS_BLOCK_HASH,
  genesisContext,
  genesisRecord,
  genesisState,
  genesisStateCommitment,
  parseGenesisInput,
} from '../../src/protocol/genesis.ts';
import { decodeReplayRecord, encodeReplayRecord } from '../../src/protocol/replayWireFormat.ts';
import { accountFlatKey, flatKey } from '../../src/protocol/stateKey.ts';

const ADDRESS = `0x${'12'.repeat(20)}`;
const KEY = `0x${'0a'.repeat(32)}`;
const VALUE = `0x${'0b'.repeat(32)}`;
const ROOT = `0x${'00'.repeat(32)}`;
const MINIMAL = { initial_contracts: [], genesis_root: ROOT };

function code(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
  return 'no error';
}

function shippedFile(): Record<string, unknown> {
  const url = new URL('../fixtures/vectors/genesis/genesis.json', import.meta.url);
  return JSON.parse(readFileSync(url, 'utf8')) as Record<string, unknown>;
}

describe('protocol/genesis', () => {
  it('accepts the shipped file and refuses it with another root', () => {
    const input = parseGenesisInput(shippedFile());
    assert.equal(toHex(checkGenesisRoot(input).stateCommitment), toHex(input.genesisRoot));
    assert.equal(
      code(() => checkGenesisRoot({ ...input, genesisRoot: fromHex(ROOT) })),
      'GENESIS_ROOT_MISMATCH',
    );
    const fewer = { ...input, initialContracts: input.initialContracts.slice(1) };
    assert.equal(
      code(() => checkGenesisRoot(fewer)),
      'GENESIS_ROOT_MISMATCH',
    );
    assert.notEqual(toHex(genesisStateCommitment(fewer)), toHex(genesisStateCommitment(input)));
  });

  it('reads storage as a list of flat keys, as a map, and as a raw list beside the map', () => {
    const slot = `0x${'00'.repeat(31)}07`;
    const list = parseGenesisInput({ ...MINIMAL, additional_storage: [[KEY, VALUE]] });
    assert.deepEqual(list.additionalStorage, [[fromHex(KEY), fromHex(VALUE)]]);
    const map = parseGenesisInput({
      ...MINIMAL,
      additional_storage: { [ADDRESS]: { [slot]: VALUE } },
      additional_storage_raw: [[KEY, VALUE]],
    });
    assert.deepEqual(map.additionalStorage, [
      [flatKey(fromHex(ADDRESS), fromHex(slot)), fromHex(VALUE)],
      [fromHex(KEY), fromHex(VALUE)],
    ]);
    const state = genesisState(map);
    assert.deepEqual(
      state.writes.map(({ address, slot: writtenSlot }) => [address.length, writtenSlot.length]),
      [
        [0, 0],
        [0, 0],
      ],
    );
  });

  it('takes execution version 3 when the file says none', () => {
    assert.equal(parseGenesisInput(MINIMAL).executionVersion, 3);
    assert.equal(parseGenesisInput({ ...MINIMAL, execution_version: 2 }).executionVersion, 2);
  });

  it('makes a record, two preimages and an entry per contract, sorted by flat key', () => {
    const { initialContracts } = parseGenesisInput(shippedFile());
    const state = genesisState({
      initialContracts,
      additionalStorage: [[fromHex(KEY), fromHex(VALUE)]],
      executionVersion: 3,
      genesisRoot: fromHex(ROOT),
    });
    assert.equal(state.writes.length, initialContracts.length + 1);
    assert.equal(state.preimages.length, 2 * initialContracts.length);
    const sortedKeys = state.writes.map(({ flatKey: key }) => key).sort(compareBytes);
    assert.deepEqual(
      state.writes.map(({ flatKey: key }) => key),
      sortedKeys,
    );
    for (const { hash, bytes } of state.preimages) assert.equal(toHex(hash), toHex(blake2s256(bytes)));
    for (const [address] of initialContracts) {
      const write = state.writes.find(({ flatKey: key }) => compareBytes(key, accountFlatKey(address)) === 0);
      assert.ok(write?.accountRecord);
      assert.equal(decodeAccountRecord(write.accountRecord).nonce, 1n);
      assert.deepEqual(write.slot.subarray(12), address);
    }
  });

  it('refuses a key that is set twice', () => {
    const account = toHex(accountFlatKey(fromHex(ADDRESS)));
    const slot = `0x${'00'.repeat(32)}`;
    const inputs: readonly object[] = [
      {
        initial_contracts: [
          [ADDRESS, '0x00'],
          [ADDRESS, '0x01'],
        ],
      },
      {
        initial_contracts: [
          [ADDRESS, '0x00'],
          [`0x${'aB'.repeat(20)}`, '0x'],
          [`0x${'Ab'.repeat(20)}`, '0x'],
        ],
      },
      { initial_contracts: [[ADDRESS, '0x00']], additional_storage: [[account, VALUE]] },
      {
        additional_storage: [
          [KEY, VALUE],
          [KEY, VALUE],
        ],
      },
      {
        additional_storage: { [ADDRESS]: { [slot]: VALUE } },
        additional_storage_raw: [[toHex(flatKey(fromHex(ADDRESS), fromHex(slot))), VALUE]],
      },
    ];
    inputs.forEach((input, index) => {
      assert.equal(
        code(() => parseGenesisInput({ ...MINIMAL, ...input })),
        'GENESIS_DUPLICATE_KEY',
        `case ${index}`,
      );
    });
    const double = [fromHex(KEY), fromHex(VALUE)] as const;
    assert.equal(
      code(() => genesisState({ ...parseGenesisInput(MINIMAL), additionalStorage: [double, double] })),
      'GENESIS_DUPLICATE_KEY',
    );
  });

  it('refuses malformed input', () => {
    const inputs: readonly unknown[] = [
      undefined,
      null,
      [],
      'genesis',
      {},
      { genesis_root: ROOT },
      { initial_contracts: [] },
      { ...MINIMAL, genesis_root: '0x00' },
      { ...MINIMAL, genesis_root: '00'.repeat(32) },
      { ...MINIMAL, execution_version: 0 },
      { ...MINIMAL, execution_version: 4 },
      { ...MINIMAL, execution_version: '3' },
      { ...MINIMAL, initial_contracts: {} },
      { ...MINIMAL, initial_contracts: [[ADDRESS]] },
      { ...MINIMAL, initial_contracts: [['0x12', '0x']] },
      { ...MINIMAL, initial_contracts: [[ADDRESS, '0x0']] },
      { ...MINIMAL, initial_contracts: [[ADDRESS, '0xzz']] },
      { ...MINIMAL, additional_storage: [[KEY, '0x01']] },
      { ...MINIMAL, additional_storage: { [ADDRESS]: [[KEY, VALUE]] } },
      { ...MINIMAL, additional_storage: { '0x12': { [KEY]: VALUE } } },
      { ...MINIMAL, additional_storage_raw: { [ADDRESS]: { [KEY]: VALUE } } },
    ];
    inputs.forEach((input, index) => {
      assert.equal(
        code(() => parseGenesisInput(input)),
        'GENESIS_MALFORMED',
        `case ${index}`,
      );
    });
  });

  it('has a record of block 0 and a ring for block 1', () => {
    const record = genesisRecord(3, '0.1.0');
    assert.deepEqual(decodeReplayRecord(encodeReplayRecord(record), 3), record);
    assert.equal(genesisContext(2).executionVersion, 2);
    assert.equal(genesisContext(3).gasLimit, 100_000_000n);
    assert.equal(BLOCK_1_BLOCK_HASHES.length, 256);
    assert.equal(BLOCK_1_BLOCK_HASHES[255], GENESIS_BLOCK_HASH);
    assert.equal(
      BLOCK_1_BLOCK_HASHES.slice(0, 255).reduce((sum, hash) => sum + bytesToBigInt(hash), 0n),
      0n,
    );
  });

  it('keys force-deploy code by the hash of the raw code', () => {
    const raw = fromHex('5b00');
    assert.deepEqual(forceDeployPreimages([raw]), [{ hash: blake2s256(raw), bytes: raw }]);
  });
});
