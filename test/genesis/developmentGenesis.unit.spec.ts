import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'mocha';
import { decodeAbiParameters, decodeFunctionData, encodeFunctionData, parseAbi, parseAbiParameters } from 'viem';
import { buildDevelopmentContracts, buildDevelopmentGenesis, renderFile } from '../../contracts/build.ts';
import { bigIntToBytes, equalBytes, toHex } from '../../src/common/bytes.ts';
import { blake2s256, keccak256 } from '../../src/common/hash.ts';
import {
  developmentGenesisEntry,
  loadDevelopmentGenesis,
  parseDevelopmentGenesis,
} from '../../src/genesis/developmentGenesis.ts';
import { developmentUpgrade } from '../../src/genesis/developmentUpgrade.ts';
import { decodeEntry, encodeEntry } from '../../src/log/entryCodec.ts';
import { checkGenesisRoot } from '../../src/protocol/genesis.ts';
import { decodeTransaction, l1AbiEncoding } from '../../src/protocol/transactionCodec.ts';

const FILE = new URL('../../src/genesis/development.json', import.meta.url);
const L1_FILE = new URL('../../src/l1/developmentContracts.json', import.meta.url);
const IDS = { logId: bigIntToBytes(1n, 16), nodeId: bigIntToBytes(2n, 16), bootId: bigIntToBytes(3n, 16) };
const DEPLOYMENT = 'struct Deployment { address at; bytes32 codeHash; uint32 codeLength; bytes32 observableHash; }';

describe('development genesis', () => {
  it('is what the sources in contracts/l2 compile to', () => {
    assert.equal(readFileSync(FILE, 'utf8'), renderFile(buildDevelopmentGenesis()), 'run npm run contracts');
  });

  it('stands beside the contracts that contracts/l1 compiles to', () => {
    assert.equal(readFileSync(L1_FILE, 'utf8'), renderFile(buildDevelopmentContracts()), 'run npm run contracts');
  });

  it('has the root that its contracts give', () => {
    const { input, chainId, l1ChainId, bridgehub } = loadDevelopmentGenesis();
    const { leafCount } = checkGenesisRoot(input);
    assert.equal(leafCount, 2 + 3);
    assert.deepEqual([chainId, l1ChainId, toHex(bridgehub)], [270n, 31_337n, `0x${'00'.repeat(20)}`]);
    assert.deepEqual(
      input.initialContracts.map(([address]) => toHex(address)),
      [
        '0x000000000000000000000000000000000000800f',
        '0x0000000000000000000000000000000000010001',
        '0x0000000000000000000000000000000000010007',
      ],
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

  it('upgrades by deploying ChainInfo and telling it about L1', () => {
    const { forceDeployments } = loadDevelopmentGenesis();
    const [[, code] = []] = forceDeployments;
    assert.ok(code);
    const bridgehub = bigIntToBytes(0xb1n, 20);
    const upgrade = developmentUpgrade({ chainId: 271n, l1ChainId: 31_337n, bridgehub, forceDeployments });
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
    const abi = parseAbi([
      'function upgrade(address delegateTo, bytes data)',
      'function genesisUpgrade(bool isZKsyncOS, uint256 chainId, address ctmDeployer, bytes fixedData, bytes chainData)',
    ]);
    const outer = decodeFunctionData({ abi, data: toHex(upgrade.input) });
    assert.ok(outer.functionName === 'upgrade');
    assert.equal(outer.args[0], '0x0000000000000000000000000000000000010001');
    const inner = decodeFunctionData({ abi, data: outer.args[1] });
    assert.ok(inner.functionName === 'genesisUpgrade');
    const [isZKsyncOS, chainId, deployer, fixedData, chainData] = inner.args;
    assert.deepEqual([isZKsyncOS, chainId, BigInt(deployer)], [true, 271n, 0n]);
    const [deployments, chainInfo] = decodeAbiParameters(
      parseAbiParameters(['Deployment[] deployments, address chainInfo', DEPLOYMENT]),
      fixedData,
    );
    assert.equal(BigInt(chainInfo), 0x10020n);
    assert.deepEqual(deployments, [
      {
        at: '0x0000000000000000000000000000000000010020',
        codeHash: toHex(blake2s256(code)),
        codeLength: code.length,
        observableHash: toHex(keccak256(code)),
      },
    ]);
    const [l1ChainId, hub] = decodeAbiParameters(parseAbiParameters('uint256, address'), chainData);
    assert.deepEqual([l1ChainId, BigInt(hub)], [31_337n, 0xb1n]);
    assert.equal(
      toHex(upgrade.input),
      encodeFunctionData({ abi, functionName: 'upgrade', args: outer.args }),
      'in the one canonical form',
    );
  });

  it('fits any chain id', () => {
    const upgrade = decodeTransaction(developmentGenesisEntry(IDS, 999n).upgradeTransaction);
    assert.equal(developmentGenesisEntry(IDS, 999n).chainId, 999n);
    assert.notDeepEqual(upgrade.hash, decodeTransaction(developmentGenesisEntry(IDS).upgradeTransaction).hash);
  });

  it('becomes a Genesis entry that reads back the same', () => {
    const entry = developmentGenesisEntry(IDS);
    assert.equal(entry.forceDeployPreimages.length, 1);
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
      [{ ...good, forceDeployments: undefined }, 'DEVELOPMENT_GENESIS_INVALID'],
      [{ ...good, forceDeployments: [['0x00', '0x00']] }, 'DEVELOPMENT_GENESIS_INVALID'],
      [{ ...good, initial_contracts: 'none' }, 'GENESIS_MALFORMED'],
    ];
    for (const [file, code] of cases) assert.throws(() => parseDevelopmentGenesis(file), { code });
  });
});
