/** Scenarios T9 to T15 of log-protocol 14, each with its variants: clones, strangers, versions, a log that was replaced, power cuts. */
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { BlockEntry, Entry } from '../../src/log/entry.ts';
import { decodeEntry, encodeEntry } from '../../src/log/entryCodec.ts';
import { TEST_CHAIN_ID } from '../support/factories.ts';
import { aFriProof, aSeal, aSnarkProof, anL1Progress, filled, oneOfEachKind } from '../support/logEntries.ts';
import { HELD, type Scenario, scenario } from './scenario.ts';
import { CHAIN_STORE_PATH, isError } from './simulatedNode.ts';
import { OTHER_CHAIN_ID, simulatedGenesis } from './workload.ts';
import { type CloneMemory, type Machine, NEW_SOFTWARE, OLD_SOFTWARE } from './world.ts';

const genesisIds = { logId: filled(0x55, 16), nodeId: filled(1, 16), bootId: filled(2, 16) };

/** A and its clone, both with the claim that opened the newest epoch. */
async function clonedLeaders(chain: Scenario): Promise<[Machine, Machine]> {
  const [a] = await chain.begin(['A']);
  assert.ok(a);
  chain.kill(a);
  const clone = chain.cloneOf(a, "A'");
  const memory: CloneMemory = { bootId: filled(0x31, 16), claim: filled(0x41, 16), epoch: undefined };
  a.memory = memory;
  clone.memory = memory;
  clone.skewMs = 5_000;
  chain.boot(a);
  chain.boot(clone);
  await chain.until('both lead', () => a.node?.isLeading === true && clone.node?.isLeading === true);
  return [a, clone];
}

/** The next block of the leader, on its way. */
async function nextBlock(chain: Scenario, a: Machine): Promise<{ entry: BlockEntry; land: () => Promise<string> }> {
  chain.fates.set(a.name, [HELD]);
  await chain.ask(a);
  const flight = await chain.sentBy(a.name, 'Block/');
  const entry = decodeEntry(1, flight.entry.bytes);
  assert.ok(entry?.kind === 'Block');
  return { entry, land: () => chain.land(flight) };
}

function everything(machine: Machine): Record<string, string> {
  return Object.fromEntries(machine.disk.paths.map((path) => [path, machine.disk.data(path).digest()]));
}

/** A node that comes back to a log that is not what it was stops, says so, and leaves its data alone. */
async function stopsAtReplacedLog(chain: Scenario, change: () => void): Promise<void> {
  const [, x] = [await chain.begin(['A']), chain.machine('X', { role: 'external' })];
  const a = chain.named('A');
  chain.boot(x);
  await chain.ask(a);
  await chain.until('X has all', () => chain.asked.every(({ raw }) => chain.isPublished(raw)) && chain.isSettled(x));
  await chain.run(6_000);
  for (const machine of [a, x]) chain.kill(machine);
  const before = [everything(a), everything(x)];
  change();
  chain.isBroken = true; // its log is not one log any more
  chain.expectsStop = (_machine, error) => isError(error, 'LOG_REPLACED');
  chain.boot(a);
  chain.boot(x);
  await chain.run(1_000);
  assert.deepEqual(
    chain.stops.map(({ name, error }) => [name, isError(error, 'LOG_REPLACED')]),
    [
      ['A', true],
      ['X', true],
    ],
  );
  assert.deepEqual([everything(a), everything(x)], before);
}

describe('log protocol scenarios: the log', () => {
  it(
    'T9: a process is cloned with its claim, both append: one content per height, both get new claims, nobody stops',
    scenario(async (chain) => {
      const [a, clone] = await clonedLeaders(chain);
      const epoch = chain.audit.epochs;
      const height = chain.audit.height;
      await chain.ask(a, 0);
      await chain.ask(clone, 1);
      await chain.until('both transfers are included', () => chain.asked.every(({ raw }) => chain.isPublished(raw)));
      await chain.run(30_000);
      assert.ok(chain.audit.height >= height + 2);
      assert.ok(chain.audit.epochs > epoch, 'the claim they shared is of no more use');
      assert.ok(chain.count('A leads no more') >= 1 && chain.count("A' leads no more") >= 1);
      const shared = filled(0x41, 16);
      for (const survivor of [a, clone]) {
        const other = survivor === a ? clone : a;
        chain.kill(other);
        await chain.ask(survivor, 2);
        await chain.until('it is included', () => chain.asked.every(({ raw }) => chain.isPublished(raw)));
        assert.notDeepEqual(chain.newest('EpochStarted/').claim, shared);
        chain.boot(other);
      }
      assert.deepEqual(chain.stops, []);
    }),
  );

  it(
    'T9 variant: A builds on its own block, the log takes the one of its clone: gap, nobody stops',
    scenario(async (chain) => {
      const [a, clone] = await clonedLeaders(chain);
      const height = chain.audit.height;
      chain.fates.set('A', [HELD, HELD]);
      await chain.ask(a, 0);
      const first = await chain.sentBy('A', `Block/${height + 1}`);
      await chain.ask(a, 2);
      const second = await chain.sentBy('A', `Block/${height + 2}`);
      chain.always.set('A', HELD);
      chain.fates.set("A'", [{ copies: [0], ack: 0 }]);
      chain.always.set("A'", HELD);
      await chain.ask(clone, 1);
      await chain.until('the block of the clone counts', () => chain.audit.height === height + 1);
      assert.equal(await chain.land(second), 'rejected gap');
      assert.equal(await chain.land(first), 'rejected gap');
      chain.always.clear();
      await chain.until('all are included', () => chain.asked.every(({ raw }) => chain.isPublished(raw)));
      assert.deepEqual(chain.stops, []);
    }),
  );

  it(
    'T10: garbage, trailing bytes, another log id, an unknown schema, a stale claim, of every kind: rejected, nobody stops',
    scenario(async (chain) => {
      const [a] = await chain.begin(['A', 'B']);
      assert.ok(a);
      chain.named('B');
      const { logId } = chain.newest('EpochStarted/');
      const stale = { logId, claim: filled(0x99, 16), epoch: 0n };
      for (const entry of oneOfEachKind()) {
        const right = encodeEntry(entry);
        const trailing = new Uint8Array([...right.bytes, 0]);
        const rejected = async (what: string, bad: typeof right | Entry): Promise<void> =>
          assert.match(await chain.inject(bad), /^rejected/, `${what} ${entry.kind}`);
        await rejected('trailing byte', { ...right, bytes: trailing });
        await rejected('cut', { ...right, bytes: right.bytes.slice(0, -1) });
        await rejected('unknown schema', { ...right, schema: 9 });
        await rejected('no schema', { ...right, schema: 0 });
        await rejected('other log', { ...entry, logId: filled(0xee, 16) });
        await rejected('stale claim', { ...entry, ...stale });
      }
      await chain.inject({ schema: 1, key: 'garbage', bytes: Uint8Array.from([0, 0, 0, 0, 0, 255, 1, 2]) });
      await chain.inject({ schema: 1, key: 'empty', bytes: new Uint8Array(0) });
      for (const old of [aSeal(1, [1, 1]), aFriProof(1), aSnarkProof(1, 1), anL1Progress([1, 0, 0], 5)])
        assert.match(await chain.inject({ ...old, ...stale }), /^rejected/);
      assert.equal(a.node?.isLeading, true);
      assert.equal(chain.audit.epochs, 1);
      await chain.ask(a);
    }),
  );

  it(
    'T11: a block in schema 2 under rules 1: the same rejection by old and new software',
    scenario(async (chain) => {
      const [a] = await chain.begin(['A']);
      assert.ok(a);
      const old = chain.machine('O', { role: 'external', software: OLD_SOFTWARE });
      chain.boot(old);
      const block = await nextBlock(chain, a);
      const early = { ...encodeEntry(block.entry), schema: 2 };
      assert.equal(await chain.inject(early), 'rejected garbage');
      await chain.until('the old one has read it', () => chain.isSettled(old));
      assert.equal(await block.land(), 'accepted');
    }),
  );

  it(
    'T11 variant: EpochStarted in schema 2: the same rejection by old and new software',
    scenario(async (chain) => {
      const [a] = await chain.begin(['A']);
      assert.ok(a);
      const old = chain.machine('O', { role: 'external', software: OLD_SOFTWARE });
      chain.boot(old);
      const last = chain.newest('EpochStarted/');
      const next = encodeEntry({ ...last, epoch: last.epoch + 1n, claim: filled(0x77, 16) });
      assert.equal(await chain.inject({ ...next, schema: 2 }), 'rejected garbage');
      await chain.until('the old one has read it', () => chain.isSettled(old));
      assert.equal(a.node?.isLeading, true);
      await chain.ask(a);
    }),
  );

  it(
    'T11 variant: an epoch of higher rules: old software stops, new goes on and may use schema 2',
    scenario(async (chain) => {
      const [a] = await chain.begin(['A']);
      assert.ok(a);
      const old = chain.machine('O', { role: 'external', software: OLD_SOFTWARE });
      chain.boot(old);
      await chain.until('the old one follows', () => chain.isSettled(old));
      const last = chain.newest('EpochStarted/');
      assert.ok(last.kind === 'EpochStarted');
      const raised = { ...last, epoch: last.epoch + 1n, claim: filled(0x77, 16), rules: 2, head: undefined };
      assert.equal(await chain.inject(raised), 'accepted');
      await chain.until('the old one stops', () => chain.stops.length > 0);
      assert.deepEqual(
        chain.stops.map(({ name, error }) => [name, isError(error, 'UPGRADE_NEEDED')]),
        [['O', true]],
      );
      const wish = await chain.ask(a, 1);
      await chain.until('new software goes on', () => chain.isPublished(wish.raw));
      const block = await nextBlock(chain, a);
      assert.equal(await chain.inject({ ...encodeEntry(block.entry), schema: 2 }), 'accepted');
      assert.match(await block.land(), /^rejected/);
      old.software = NEW_SOFTWARE;
      chain.boot(old);
      await chain.until('upgraded, it follows', () => chain.isSettled(old));
    }),
  );

  for (const [first, second] of [
    [TEST_CHAIN_ID, OTHER_CHAIN_ID],
    [OTHER_CHAIN_ID, TEST_CHAIN_ID],
  ] as const)
    it(
      `T12: Genesis of chain ${first}, then of chain ${second}: the first wins for all, who is configured otherwise stops`,
      scenario(async (chain) => {
        chain.writeGenesis(first, filled(0x11, 16));
        chain.writeGenesis(second, filled(0x22, 16));
        const ours = chain.machine('A', { chainId: first });
        const others = [
          chain.machine('F', { chainId: second }),
          chain.machine('E', { chainId: second, role: 'external' }),
        ];
        chain.expectsStop = (machine, error) => others.includes(machine) && isError(error, 'FOREIGN_GENESIS');
        const judge = chain.audit.folded.bind(chain.audit);
        chain.audit.folded = (node, entry, result) => judge(node, entry, result, node !== 'A');
        for (const machine of [ours, ...others]) chain.boot(machine);
        await chain.until('the others stop', () => chain.stops.length === 2);
        await chain.whenLeads(ours);
        await chain.until('block 1', () => chain.audit.height === 1);
        assert.equal(await chain.verdict(1), 'rejected foreign');
        assert.deepEqual(chain.log.entries.filter(({ key }) => key === 'Genesis').length, 2);
        chain.isBroken = first !== TEST_CHAIN_ID; // nobody else here could fold the other chain
      }),
    );

  it(
    'T13: the only main node restarts: it claims at once',
    scenario(async (chain) => {
      const [a] = await chain.begin(['A']);
      assert.ok(a);
      chain.kill(a);
      const atMs = chain.time.now;
      chain.boot(a);
      await chain.whenLeads(a);
      assert.ok(chain.time.now - atMs < 100);
    }),
  );

  for (const [what, nodeId] of [
    ['two machines with one node id', filled(0x66, 16)],
    ['two main nodes', undefined],
  ] as const)
    it(
      `T13 variant: ${what}: no duel, timers decide`,
      scenario(async (chain) => {
        const options = nodeId === undefined ? {} : { nodeId };
        const [a, b] = await chain.begin(['A', 'B'], options);
        assert.ok(a && b);
        await chain.run(60_000);
        const idle = chain.audit.epochs;
        assert.ok(idle <= 3, `${idle} epochs while there is nothing to do`);
        for (let i = 0; i < 4; i++) {
          await chain.ask(i % 2 === 0 ? a : b, i);
          await chain.run(20_000);
        }
        await chain.until('all are included', () => chain.asked.every(({ raw }) => chain.isPublished(raw)));
        assert.ok(chain.audit.epochs - idle <= 5, `${chain.audit.epochs - idle} epochs for 4 transfers`);
        chain.kill(a);
        await chain.ask(b);
        await chain.whenLeads(b);
      }),
    );

  it(
    'T14: the topic is recreated, with a Genesis of its own: stop, data untouched',
    scenario((chain) =>
      stopsAtReplacedLog(chain, () => chain.log.replace([encodeEntry(simulatedGenesis(genesisIds))])),
    ),
  );

  it(
    'T14 variant: the topic is emptied: stop, data untouched',
    scenario((chain) => stopsAtReplacedLog(chain, () => chain.log.replace([]))),
  );

  it(
    'T14 variant: the topic is truncated: stop, data untouched',
    scenario((chain) => stopsAtReplacedLog(chain, () => chain.log.replace(chain.log.entries.slice(0, -2)))),
  );

  it(
    'T14 variant: the topic is truncated and has grown again: stop, data untouched',
    scenario((chain) =>
      stopsAtReplacedLog(chain, () => {
        const kept = chain.log.entries.slice(0, -2);
        const last = chain.newest('EpochStarted/');
        const grown = [1n, 2n, 3n].map((step) => encodeEntry({ ...last, epoch: last.epoch + step }));
        chain.log.replace([...kept, ...grown]);
      }),
    ),
  );

  it(
    'T14 variant: the log under a running leader is replaced: it does not claim again, it stops',
    scenario(async (chain) => {
      const [a] = await chain.begin(['A']);
      assert.ok(a?.node);
      chain.isBroken = true;
      chain.expectsStop = (_machine, error) => isError(error, 'LOG_REPLACED');
      chain.log.replace([encodeEntry(simulatedGenesis(genesisIds))]);
      chain.always.set('A', { copies: [], ack: 0, ackError: 'unknown topic or partition' });
      await chain.ask(a);
      await chain.until('A stops', () => chain.stops.length === 1);
      assert.ok(isError(chain.stops[0]?.error, 'LOG_REPLACED'));
      assert.equal(chain.log.entries.length, 1);
    }),
  );

  it(
    'T14 variant: the same log, read again from further back: what is delivered again is ignored',
    scenario(async (chain) => {
      const [a] = await chain.begin(['A'], { flushEveryBlocks: 100 });
      assert.ok(a);
      const x = chain.machine('X', { role: 'external', flushEveryBlocks: 100 });
      chain.boot(x);
      for (const signer of [0, 1, 2]) {
        await chain.ask(a, signer);
        await chain.run(500);
      }
      await chain.until('X has all', () => chain.isSettled(x));
      chain.kill(x);
      const data = x.disk.data(CHAIN_STORE_PATH);
      data.loseAfter(Math.floor(data.unflushedBatches / 2));
      chain.boot(x);
      await chain.until('X has all again', () => chain.isSettled(x));
    }),
  );

  for (const isWritten of [false, true])
    it(
      `T15: the embedded log's machine loses power between write and commit: the entry is ${isWritten ? 'whole' : 'absent'}, nobody had seen it`,
      scenario(async (chain) => {
        const [a] = await chain.begin(['A'], { flushEveryBlocks: 1 });
        assert.ok(a);
        const height = chain.audit.height;
        chain.fates.set('A', [{ copies: ['held'], ack: 'never' }]);
        const wish = await chain.ask(a);
        const commit = await chain.sentBy('A', 'Block/');
        assert.equal(a.node?.height, height);
        assert.equal(chain.isPublished(wish.raw), false);
        chain.cutPower(a);
        if (isWritten) commit.land();
        else commit.lose();
        chain.boot(a);
        await chain.whenLeads(a);
        assert.equal(chain.isPublished(wish.raw), isWritten);
        if (!isWritten) await chain.askAgain(a, wish);
      }),
    );
});
