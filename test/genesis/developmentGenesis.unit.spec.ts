import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'mocha';
import { decodeFunctionData, parseAbi } from 'viem';
import { buildDevelopmentGenesis, renderGenesisFile } from '../../contracts/build.ts';
import { bigIntToBytes, equalBytes, toHex } from '../../src/common/bytes.ts';
import { keccak256 } from '../../src/common/hash.ts';
import {
  developmentGenesisEntry,
  loadDevelopmentGenesis,
  parseDevelopmentGenesis,
} from '../../src/genesis/developmentGenesis.ts';
import { decodeEntry, encodeEntry } from '../../src/log/entryCodec.ts';
import { checkGenesisRoot } from '../../src/protocol/genesis.ts';
import { l1AbiEncoding } from '../../src/protocol/transactionCodec.ts';

const FILE = new URL('../../src/genesis/development.json', import.meta.url);

describe('development genesis', () => {
  it('is what the sources in contracts/l2 compile to', () => {
    assert.equal(readFileSync(FILE, 'utf8'), renderGenesisFile(buildDevelopmentGenesis()), 'run npm run contracts');
  });

  it('has the root that its contracts give', () => {
    const { input, chainId, l1ChainId, bridgehub } = loadDevelopmentGenesis();
    const { leafCount } = checkGenesisRoot(input);
    assert.equal(leafCount, 2 + 2);
    assert.deepEqual([chainId, l1ChainId, toHex(bridgehub)], [270n, 31_337n, `0x${'00'.repeat(20)}`]);
    assert.deepEqual(
      input.initialContracts.map(([address]) => toHex(address)),
      ['0x000000000000000000000000000000000000800f', '0x0000000000000000000000000000000000010007'],
    );
    const [upgrader] = input.initialContracts;
    assert.ok(upgrader);
    const changed = upgrader[1].map((byte, i) => (i === 0 ? byte ^ 1 : byte));
    const tampered = {
      ...input,
      initialContracts: [[upgrader[0], changed] as const, ...input.initialContracts.slice(1)],
    };
    assert.throws(() => checkGenesisRoot(tampered), { code: 'GENESIS_ROOT_MISMATCH' });
  });

  it('upgrades without deploying anything', () => {
    const { upgradeTransaction: upgrade } = loadDevelopmentGenesis();
    assert.deepEqual(upgrade.hash, keccak256(l1AbiEncoding(upgrade)));
    assert.equal(toHex(upgrade.initiator), '0x0000000000000000000000000000000000008007');
    assert.equal(toHex(upgrade.to), '0x000000000000000000000000000000000000800f');
    assert.deepEqual(
      [
        upgrade.type,
        upgrade.gasLimit,
        upgrade.gasPerPubdataByteLimit,
        upgrade.maxFeePerGas,
        upgrade.nonce,
        upgrade.value,
        upgrade.toMint,
      ],
      [0x7e, 72_000_000n, 800n, 0n, 29n, 0n, 0n],
    );
    const abi = parseAbi(['function upgrade(address delegateTo, bytes data)']);
    const { args } = decodeFunctionData({ abi, data: toHex(upgrade.input) });
    assert.deepEqual(args, ['0x0000000000000000000000000000000000010007', '0x313ce567']);
  });

  it('becomes a Genesis entry that reads back the same', () => {
    const ids = { logId: bigIntToBytes(1n, 16), nodeId: bigIntToBytes(2n, 16), bootId: bigIntToBytes(3n, 16) };
    const entry = developmentGenesisEntry(ids);
    const { bytes, schema } = encodeEntry(entry);
    assert.deepEqual(decodeEntry(schema, bytes), entry);
    assert.ok(equalBytes(entry.genesisRoot, loadDevelopmentGenesis().input.genesisRoot));
  });

  it('refuses a damaged file', () => {
    const good = buildDevelopmentGenesis();
    const cases: [unknown, string][] = [
      [undefined, 'DEVELOPMENT_GENESIS_INVALID'],
      [{ ...good, chainId: '270' }, 'DEVELOPMENT_GENESIS_INVALID'],
      [{ ...good, bridgehub: '0x00' }, 'DEVELOPMENT_GENESIS_INVALID'],
      [{ ...good, upgradeTransaction: undefined }, 'DEVELOPMENT_GENESIS_INVALID'],
      [{ ...good, upgradeTransaction: '0x7ec0' }, 'TRANSACTION_MALFORMED'],
      [{ ...good, initial_contracts: 'none' }, 'GENESIS_MALFORMED'],
    ];
    for (const [file, code] of cases) assert.throws(() => parseDevelopmentGenesis(file), { code });
  });
});
