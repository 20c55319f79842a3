/** Scenarios T1 to T8 of log-protocol 14, each with its variants: who leads, and what becomes of what is on its way. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { BlockEntry } from '../../src/log/entry.ts';
import { decodeEntry, encodeEntry } from '../../src/log/entryCodec.ts';
import { filled } from '../support/logEntries.ts';
import { HELD, LOST, type Scenario, scenario } from './scenario.ts';
import type { InFlight } from './simulatedLog.ts';

function blockOf(flight: InFlight): BlockEntry {
  const entry = decodeEntry(1, flight.entry.bytes);
  assert.ok(entry?.kind === 'Block');
  return entry;
}

/** Both claims of an empty chain are on their way. */
async function twoClaims(chain: Scenario) {
  chain.writeGenesis();
  chain.fund();
  const [a, b] = [chain.machine('A'), chain.machine('B')];
  chain.fates.set('A', [HELD]);
  chain.fates.set('B', [HELD]);
  chain.boot(a);
  chain.boot(b);
  return { a, b, ofA: await chain.sentBy('A', 'EpochStarted/1'), ofB: await chain.sentBy('B', 'EpochStarted/1') };
}

describe('log protocol scenarios: leadership', () => {
  it(
    'T1: two nodes claim the same epoch: the first owns it, the other follows',
    scenario(async (chain) => {
      const { a, b, ofA, ofB } = await twoClaims(chain);
      assert.equal(await chain.land(ofA), 'accepted');
      assert.equal(await chain.land(ofB), 'rejected foreign');
      await chain.whenLeads(a);
      assert.equal(b.node?.isLeading, false);
      await chain.until('B follows', () => b.node?.height === 1);
      assert.equal(chain.audit.epochs, 1);
    }),
  );

  it(
    'T1 variant: the loser builds anyway and its block is first: foreign, the owner goes on',
    scenario(async (chain) => {
      const { a, ofA, ofB } = await twoClaims(chain);
      chain.fates.set('A', [HELD]);
      await chain.land(ofA);
      const block = await chain.sentBy('A', 'Block/1');
      const loser = decodeEntry(1, ofB.entry.bytes);
      assert.ok(loser?.kind === 'EpochStarted');
      const { claim, nodeId, bootId } = loser;
      assert.equal(await chain.inject({ ...blockOf(block), claim, nodeId, bootId }), 'rejected foreign');
      assert.equal(await chain.land(ofB), 'rejected foreign');
      assert.equal(await chain.land(block), 'accepted');
      assert.equal(a.node?.isLeading, true);
      assert.equal(chain.audit.epochs, 1);
    }),
  );

  it(
    'T2: a block of the first epoch lands when two more epochs have begun: rejected',
    scenario(async (chain) => {
      const [a, b] = await chain.begin(['A', 'B']);
      assert.ok(a && b);
      chain.fates.set('A', [HELD]);
      const wish = await chain.ask(a);
      const late = await chain.sentBy('A', 'Block/');
      a.node?.pause();
      const other = await chain.ask(b, 1);
      await chain.whenLeads(b);
      await chain.until('B has included its transfer', () => chain.isPublished(other.raw));
      chain.kill(b);
      a.node?.resume();
      await chain.until('A leads a third epoch', () => chain.audit.epochs === 3 && a.node?.isLeading === true);
      assert.equal(await chain.land(late), 'rejected stale');
      await chain.until('its transfer is included after all', () => chain.isPublished(wish.raw));
    }),
  );

  it(
    'T2 variant: A restarts and its block lands before its claim: canonical, the claim is tried again',
    scenario(async (chain) => {
      const [a] = await chain.begin(['A']);
      assert.ok(a);
      chain.fates.set('A', [HELD, HELD]);
      const wish = await chain.ask(a);
      const late = await chain.sentBy('A', 'Block/');
      const height = chain.audit.height;
      chain.kill(a);
      chain.boot(a);
      const claim = await chain.sentBy('A', 'EpochStarted/2');
      assert.equal(await chain.land(late), 'accepted');
      assert.equal(chain.audit.height, height + 1);
      await chain.until('the block is canonical', () => chain.isPublished(wish.raw));
      assert.equal(await chain.land(claim), 'rejected stale');
      await chain.whenLeads(a);
      assert.equal(chain.audit.epochs, 2);
    }),
  );

  it(
    'T3: a claim is late and was given up: it lands, and its process leads',
    scenario(async (chain) => {
      chain.writeGenesis();
      chain.fund();
      const a = chain.machine('A');
      chain.fates.set('A', [HELD, HELD]);
      chain.boot(a);
      const first = await chain.sentBy('A', 'EpochStarted/1');
      await chain.until('A claims again', () => chain.log.inFlight.length === 2);
      assert.equal(await chain.land(first), 'accepted');
      await chain.whenLeads(a);
      const second = chain.onTheWay('A', 'EpochStarted/1');
      assert.ok(second);
      assert.equal(await chain.land(second), 'rejected foreign');
      assert.equal(a.node?.isLeading, true);
      await chain.until('block 1', () => chain.audit.height === 1);
    }),
  );

  it(
    'T3 variant: it restarted meanwhile: nobody shows life, the next claim comes within a time-out',
    scenario(async (chain) => {
      chain.writeGenesis();
      chain.fund();
      const a = chain.machine('A');
      chain.fates.set('A', [HELD]);
      chain.boot(a);
      const first = await chain.sentBy('A', 'EpochStarted/1');
      chain.kill(a);
      chain.fates.set('A', [HELD]);
      chain.boot(a);
      await chain.until('it claims again', () => chain.log.inFlight.length === 2);
      const second = chain.log.inFlight[1];
      assert.ok(second);
      assert.equal(await chain.land(first), 'accepted');
      const landedAtMs = chain.time.now;
      assert.equal(a.node?.isLeading, false, 'the claim is of an earlier life');
      await chain.whenLeads(a);
      assert.equal(await chain.land(second), 'rejected stale');
      assert.equal(chain.audit.epochs, 2);
      assert.ok(chain.time.now - landedAtMs <= 7_000);
    }),
  );

  it(
    'T3 variant: another leads: the late claim is rejected',
    scenario(async (chain) => {
      const { b, ofA, ofB } = await twoClaims(chain);
      await chain.land(ofB);
      await chain.whenLeads(b);
      await chain.until('B builds', () => chain.audit.height >= 1);
      assert.equal(await chain.land(ofA), 'rejected foreign');
      assert.equal(b.node?.isLeading, true);
      assert.equal(chain.audit.epochs, 1);
    }),
  );

  it(
    'T4: of three blocks on their way the first is lost: gap, doubt, transactions back in the pool',
    scenario(async (chain) => {
      const [a] = await chain.begin(['A']);
      assert.ok(a);
      const height = chain.audit.height;
      chain.fates.set('A', [LOST]);
      for (const signer of [0, 1, 2]) {
        await chain.ask(a, signer);
        await chain.run(300);
      }
      await chain.until('A doubts', () => chain.count('leads no more: rejected') === 1);
      assert.ok(chain.count(`Block/${height + 2}: rejected gap`) >= 1);
      await chain.until('all three are included', () => chain.asked.every(({ raw }) => chain.isPublished(raw)));
      assert.equal(chain.audit.epochs, 2);
    }),
  );

  it(
    'T4 variant: the second lands, the first, the second again: both accepted, nobody stops',
    scenario(async (chain) => {
      const [a] = await chain.begin(['A']);
      assert.ok(a);
      const height = chain.audit.height;
      chain.fates.set('A', [HELD, { copies: [0, 'held'], ack: 'never' }, HELD]);
      await chain.ask(a, 0);
      const first = await chain.sentBy('A', `Block/${height + 1}`);
      await chain.ask(a, 1);
      await chain.until('A doubts', () => chain.count('leads no more: rejected') === 1);
      const again = await chain.sentBy('A', `Block/${height + 2}`);
      const claim = await chain.sentBy('A', 'EpochStarted/2');
      assert.equal(await chain.land(first), 'accepted');
      assert.equal(await chain.land(again), 'accepted');
      assert.equal(await chain.land(claim), 'rejected stale');
      await chain.whenLeads(a);
      assert.ok(chain.asked.every(({ raw }) => chain.isPublished(raw)));
      assert.equal(chain.audit.height, height + 2);
    }),
  );

  it(
    'T5: the acknowledgement of a block is lost and the same bytes land again: one accepted, one duplicate, no new epoch',
    scenario(async (chain) => {
      const [a] = await chain.begin(['A']);
      assert.ok(a);
      chain.fates.set('A', [{ copies: [0, 10], ack: 20 }]);
      const wish = await chain.ask(a);
      await chain.until('it is included', () => chain.isPublished(wish.raw));
      await chain.run(100);
      assert.equal(await chain.verdict(chain.log.entries.length - 1), 'rejected duplicate');
      assert.equal(chain.audit.epochs, 1);
      assert.equal(a.node?.isLeading, true);
    }),
  );

  it(
    'T5 variant: other bytes for a height of the same claim: A5 fires',
    scenario(async (chain) => {
      const [a] = await chain.begin(['A']);
      assert.ok(a?.node);
      chain.fates.set('A', [HELD]);
      await chain.ask(a);
      const block = blockOf(await chain.sentBy('A', 'Block/'));
      const other = { ...block, record: { ...block.record, nodeVersion: 'another' } };
      chain.isBroken = true;
      void a.node.view.openProducer().send([encodeEntry(other)]);
      await chain.run(1);
      assert.equal(chain.audit.violation?.invariant, 'one sent content per claim and slot (A5)');
    }),
  );

  it(
    'T6: acknowledgements arrive, reads do not: nothing is published, building stops at D, doubt',
    scenario(async (chain) => {
      const [a] = await chain.begin(['A'], { maxAheadBlocks: 2 });
      assert.ok(a?.node);
      const height = chain.audit.height;
      a.node.view.cutReads();
      for (const signer of [0, 1, 2, 3]) {
        await chain.ask(a, signer);
        await chain.run(300);
      }
      assert.equal(a.node.chain?.status().unacceptedBlocks, 2);
      assert.equal(chain.log.entries.filter(({ key }) => key.startsWith('Block/')).length, height + 2);
      assert.ok(chain.asked.every(({ raw }) => !chain.isPublished(raw)));
      await chain.until('A doubts', () => chain.count('leads no more: expired') === 1);
      assert.equal(a.node.height, height, 'and has published nothing');
      a.node.view.healReads();
      await chain.until('all are included', () => chain.asked.every(({ raw }) => chain.isPublished(raw)));
    }),
  );

  it(
    'T6 variant: the block was acknowledged and never written: its transactions are included exactly once',
    scenario(async (chain) => {
      const [a] = await chain.begin(['A']);
      assert.ok(a);
      chain.fates.set('A', [LOST]);
      const wish = await chain.ask(a);
      await chain.run(1_000);
      assert.equal(chain.isPublished(wish.raw), false);
      await chain.until('it is included', () => chain.isPublished(wish.raw));
      assert.equal(chain.audit.epochs, 2);
    }),
  );

  it(
    'T6 variant: the acknowledgement never comes though the block is read: what waits behind it is not held up for ever',
    scenario(async (chain) => {
      const [a] = await chain.begin(['A']);
      assert.ok(a);
      chain.fates.set('A', [{ copies: [0], ack: 'never' }]);
      const first = await chain.ask(a, 0);
      await chain.until('the first is included', () => chain.isPublished(first.raw));
      assert.equal(chain.audit.epochs, 1);
      const second = await chain.ask(a, 1);
      await chain.until('the second is included', () => chain.isPublished(second.raw), 10_000);
      assert.equal(chain.count('leads no more: expired'), 1);
    }),
  );

  for (const [what, fate] of [
    ['is never answered', { copies: [], ack: 'never' }],
    ['is acknowledged and lost', LOST],
    ['fails', { copies: [], ack: 0, ackError: 'not enough replicas' }],
  ] as const)
    it(
      `the Genesis of an empty log ${what}: the node goes on reading and offers it again`,
      scenario(async (chain) => {
        const a = chain.machine('A');
        chain.fates.set('A', [fate]);
        chain.boot(a);
        await chain.whenLeads(a);
        assert.deepEqual(chain.stops, []);
        assert.equal(chain.log.entries.filter(({ key }) => key === 'Genesis').length, 1);
      }),
    );

  it(
    'a main node whose Genesis is never answered follows the one that is written by another',
    scenario(async (chain) => {
      const a = chain.machine('A');
      chain.always.set('A', { copies: [], ack: 'never' });
      chain.boot(a);
      await chain.run(1_000);
      chain.writeGenesis();
      await chain.until('A has read it', () => a.node?.height === 0, 1_000);
    }),
  );

  it(
    'T7: cut off from reading A goes on appending while B leads: all rejected, none of it published',
    scenario(async (chain) => {
      const [a, b] = await chain.begin(['A', 'B']);
      assert.ok(a?.node && b);
      const height = chain.audit.height;
      a.node.view.cutReads();
      a.node.pause();
      const ofB = await chain.ask(b, 1);
      chain.fates.set('B', [HELD]);
      const claim = await chain.sentBy('B', 'EpochStarted/2');
      a.node.resume();
      chain.always.set('A', HELD);
      const wish = await chain.ask(a, 0);
      await chain.run(300);
      await chain.ask(a, 2);
      await chain.run(300);
      await chain.land(claim);
      await chain.until('B has included its transfer', () => chain.isPublished(ofB.raw));
      const late = chain.log.inFlight.filter(({ entry }) => entry.key.startsWith('Block/'));
      assert.ok(late.length > 0);
      for (const flight of late) assert.equal(await chain.land(flight), 'rejected stale');
      assert.equal(a.node.height, height);
      chain.always.delete('A');
      a.node.view.healReads();
      await chain.askAgain(b, wish);
      await chain.until('all are included', () => chain.asked.every(({ raw }) => chain.isPublished(raw)));
    }),
  );

  it(
    'T8: a checkpoint inside an epoch, a restart, and a late block of the epoch before that fits: rejected',
    scenario(async (chain) => {
      const [a, b] = await chain.begin(['A', 'B']);
      assert.ok(a && b);
      const x = chain.machine('X', { role: 'external' });
      chain.boot(x);
      const earlier = chain.newest('EpochStarted/');
      chain.kill(a);
      const first = await chain.ask(b, 1);
      await chain.until('X has a block of the second epoch', () => chain.isPublished(first.raw) && chain.isSettled(x));
      assert.equal(chain.audit.epochs, 2);
      chain.kill(x);
      chain.boot(x);
      chain.fates.set('B', [HELD]);
      await chain.ask(b, 2);
      const next = await chain.sentBy('B', 'Block/');
      const { claim, nodeId, bootId, epoch } = earlier;
      assert.equal(await chain.inject({ ...blockOf(next), claim, nodeId, bootId, epoch }), 'rejected stale');
      assert.equal(await chain.land(next), 'accepted');
    }),
  );

  it(
    'T8 variant: the checkpoint is that of a seal, before any block of its epoch',
    scenario(async (chain) => {
      const [a] = await chain.begin(['A']);
      assert.ok(a);
      const x = chain.machine('X', { role: 'external' });
      chain.boot(x);
      chain.fates.set('A', [HELD]);
      await chain.ask(a, 0);
      const late = await chain.sentBy('A', 'Block/');
      chain.kill(a);
      chain.boot(a);
      await chain.whenLeads(a);
      await chain.until('a batch is sealed in the second epoch', () => chain.count('X settlement BatchSealed') === 1);
      chain.kill(x);
      chain.boot(x);
      assert.equal(await chain.land(late), 'rejected stale');
      await chain.until('X has read it', () => chain.isSettled(x));
      await chain.askAgain(a, chain.asked[0] ?? assert.fail());
    }),
  );

  it(
    'a claim of a stranger with a fresh claim opens its epoch once, and its copy none',
    scenario(async (chain) => {
      const [a] = await chain.begin(['A']);
      assert.ok(a);
      const last = chain.newest('EpochStarted/');
      assert.ok(last.kind === 'EpochStarted');
      const stranger = { ...last, epoch: last.epoch + 1n, claim: filled(0x77, 16), head: undefined };
      assert.equal(await chain.inject(stranger), 'accepted');
      assert.equal(a.node?.isLeading, false);
      assert.equal(await chain.inject(stranger), 'rejected duplicate');
      const wish = await chain.ask(a);
      await chain.until('A takes over', () => chain.isPublished(wish.raw));
      assert.equal(chain.audit.epochs, 3);
    }),
  );
});
