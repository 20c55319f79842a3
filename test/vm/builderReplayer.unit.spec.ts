/** What a builder made, rejections and misses on the way included, is what a replayer finds in the record (spec: execution 1, 2, native 4.1). */
import assert from 'node:assert/strict';
import { type SealReason } from '../../src/vm/blockExecution.ts';
import { type CaseKind, aBlockCase } from './builderReplayer/blockCase.ts';
import { type Comparison, compareCase } from './builderReplayer/buildAndReplay.ts';
import { findPlant } from './builderReplayer/findPlant.ts';
import { ROLLBACK_PLANTS } from './builderReplayer/rollbackPlants.ts';

const SEEDS = 45;
/** A transaction never uses more gas than its limit, so GasLimit comes before GasVm; Replay is of replayers. */
const SEAL_REASONS: readonly SealReason[] = [
  'Timeout',
  'TxCountLimit',
  'GasLimit',
  'NativeCycles',
  'Pubdata',
  'L2ToL1Logs',
  'Other',
];
/** Everything that can miss a key: an account or a slot, and code by its hash. */
const RESUMED = [
  ...['SLOAD', 'SSTORE', 'BALANCE', 'EXTCODESIZE', 'EXTCODEHASH', 'EXTCODECOPY', 'SELFDESTRUCT', 'CREATE', 'CREATE2'],
  ...['CALL', 'CALLCODE', 'DELEGATECALL', 'STATICCALL'].flatMap((name) => [name, `code of ${name}`]),
  ...['code of EXTCODECOPY', 'force deployment', 'code of force deployment'],
  ...['sender', 'transaction', 'code of transaction', 'creation transaction'],
];
const REJECTIONS = [
  'NonceTooHigh',
  'LackOfFundForMaxFee',
  'RejectCallerWithCode',
  'BaseFeeGreaterThanMaxFee',
  'OutOfNativeResourcesDuringValidation',
];
/** One of each kind: restoring caches, undoing, resuming. All of them: `npm run plant -- builder`. */
const PLANTED_HERE = [0, 4, 15];

describe('builder and replayer', function () {
  this.timeout(180_000);
  const seals = new Set<string>();
  const resumed = new Set<string>();
  const rejected = new Set<string>();

  async function check(seed: number, kind?: CaseKind): Promise<Comparison> {
    const comparison = await compareCase(aBlockCase(seed, kind));
    const again = kind === undefined ? `: npm run fuzz -- builder --seed ${seed}` : '';
    assert.equal(comparison.difference, undefined, `seed ${seed}${again}`);
    for (const { sealReason } of comparison.blocks) seals.add(sealReason);
    for (const name of comparison.resumed) resumed.add(name);
    for (const name of comparison.rejected.keys()) rejected.add(name);
    return comparison;
  }

  it(`agree on the blocks of ${SEEDS} cases`, async () => {
    let blocks = 0;
    for (let seed = 0; seed < SEEDS; seed += 1) blocks += (await check(seed)).blocks.length;
    assert.ok(blocks > SEEDS, `${blocks} blocks`);
  });

  it('agree on a block full of cycles', async () => {
    const { blocks } = await check(1, 'cycles');
    assert.equal(blocks[0]?.sealReason, 'NativeCycles');
  });

  it('agree on a block full of messages', async () => {
    const { blocks } = await check(1, 'messages');
    assert.equal(blocks[0]?.sealReason, 'L2ToL1Logs');
  });

  it('met every seal reason, every miss and every rejection that the pool lets through', () => {
    const missing = (expected: readonly string[], seen: ReadonlySet<string>): string[] =>
      expected.filter((name) => !seen.has(name));
    assert.deepEqual(missing(SEAL_REASONS, seals), []);
    assert.deepEqual(missing(RESUMED, resumed), []);
    assert.deepEqual(missing(REJECTIONS, rejected), []);
  });

  it('has enough planted bugs to be tested with', () => {
    assert.ok(ROLLBACK_PLANTS.length >= 12);
  });

  for (const index of PLANTED_HERE) {
    const plant = ROLLBACK_PLANTS[index];
    it(`disagree when ${plant?.name}`, async () => {
      assert.ok(plant !== undefined);
      assert.match((await findPlant(plant)) ?? 'nobody saw it', /^seed \d+: /);
    });
  }
});
