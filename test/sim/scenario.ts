/** A world in which every fault is written down: the scenarios of log-protocol 14 are played in it. */
import assert from 'node:assert/strict';
import type { Entry } from '../../src/log/entry.ts';
import { type EncodedEntry, decodeEntry, encodeEntry } from '../../src/log/entryCodec.ts';
import { type AppendFate, DELIVERED } from '../../src/log/eventLog.memory.ts';
import { withoutRealTime } from './realTime.ts';
import type { InFlight } from './simulatedLog.ts';
import { type Wish, SIGNERS, fundingDeposit, signedWishes } from './workload.ts';
import { type Machine, type MachineOptions, World } from './world.ts';

/** Stays on its way until the scenario lands or loses it; acknowledged at once all the same. */
export const HELD: AppendFate = { copies: ['held'], ack: 0 };
/** Acknowledged, never written. */
export const LOST: AppendFate = { copies: [], ack: 0 };
const LIMIT_MS = 120_000;

/** Plays a scenario, then checks that no promise was broken and that every node still running holds what a clean fold does. */
export function scenario(play: (chain: Scenario) => Promise<void>): () => Promise<void> {
  return async () => {
    const wishes = await signedWishes();
    await withoutRealTime(async () => {
      const chain = new Scenario(wishes);
      try {
        await play(chain);
        await chain.finish();
      } catch (error) {
        // The last events tell more than the stack does.
        throw new Error(`after:\n  ${chain.trace.last.slice(-40).join('\n  ')}`, { cause: error });
      } finally {
        await chain.dispose();
      }
    });
  };
}

export class Scenario extends World {
  /** Of the next sends of a node, by its name; then DELIVERED. */
  readonly fates = new Map<string, AppendFate[]>();
  /** Of all further sends of a node. */
  readonly always = new Map<string, AppendFate>();
  readonly #wishes: readonly Wish[][];
  readonly #used = new Array<number>(SIGNERS).fill(0);
  /** Everything that users have asked for. */
  readonly asked: Wish[] = [];
  /** It broke a promise on purpose. */
  isBroken = false;

  constructor(wishes: readonly Wish[][]) {
    super({ seed: 1 });
    this.#wishes = wishes;
    this.fateOf = (sender) => this.fates.get(sender)?.shift() ?? this.always.get(sender) ?? DELIVERED;
  }

  /** Deposits that fund every user are on L1, confirmed. */
  fund(): void {
    this.l1.mineThese(Array.from({ length: SIGNERS }, (_, signer) => fundingDeposit(this.#wishes, signer)));
    for (let i = 0; i < 3; i++) this.l1.mine();
  }

  /** Genesis is there, users are funded, `names[0]` leads and the others follow; nothing is on its way. */
  async begin(names: readonly string[], options: MachineOptions = {}): Promise<Machine[]> {
    this.writeGenesis();
    this.fund();
    const machines = names.map((name) => this.machine(name, options));
    const [first, ...others] = machines;
    if (first !== undefined) this.boot(first);
    await this.until('the users are funded', () => this.priorityId(first) === BigInt(SIGNERS));
    for (const machine of others) this.boot(machine);
    await this.until('all have read everything', () => machines.every((machine) => this.isSettled(machine)));
    return machines;
  }

  priorityId(machine: Machine | undefined): bigint {
    return machine?.running?.chain?.status().nextL1PriorityId ?? -1n;
  }

  async until(what: string, isTrue: () => boolean, limitMs = LIMIT_MS): Promise<void> {
    const isReached = await this.runUntil(isTrue, limitMs);
    if (this.audit.violation !== undefined && !this.isBroken) throw this.audit.violation;
    assert.ok(isReached, `not within ${limitMs} ms: ${what}`);
  }

  /** A user's next transfer, handed to a node. */
  async ask(machine: Machine, signer = 0): Promise<Wish> {
    const nonce = this.#used[signer] ?? 0;
    const wish = this.#wishes[signer]?.[nonce];
    assert.ok(wish !== undefined, `user ${signer} has no transfer ${nonce}`);
    this.#used[signer] = nonce + 1;
    this.asked.push(wish);
    await this.until(`${machine.name} runs`, () => (machine.running?.height ?? -1) >= 0);
    assert.equal(await this.submit(machine, wish.raw), undefined);
    return wish;
  }

  /** The user asks another node for the same. */
  async askAgain(machine: Machine, wish: Wish): Promise<void> {
    await this.submit(machine, wish.raw);
  }

  onTheWay(sender: string, key: string): InFlight | undefined {
    return this.log.inFlight.find((flight) => flight.sender === sender && flight.entry.key.startsWith(key));
  }

  /** The first on its way from a node with a key that begins so; waits until there is one. */
  async sentBy(sender: string, key: string): Promise<InFlight> {
    await this.until(`${sender} sends ${key}`, () => this.onTheWay(sender, key) !== undefined);
    const found = this.onTheWay(sender, key);
    assert.ok(found !== undefined);
    return found;
  }

  /** What every reader made of the entry at a position; waits until somebody has read it. */
  async verdict(position: number): Promise<string> {
    await this.until(`entry ${position} is read`, () => this.audit.verdictAt(position) !== undefined);
    return this.audit.verdictAt(position) ?? '';
  }

  /** Lands it, and says what the log makes of it. */
  async land(flight: InFlight): Promise<string> {
    const position = this.log.entries.length;
    flight.land();
    return this.verdict(position);
  }

  /** Somebody writes an entry, past all processes. */
  async inject(entry: Entry | EncodedEntry): Promise<string> {
    const encoded = 'kind' in entry ? encodeEntry(entry) : entry;
    return this.verdict(this.log.write(encoded, 'stranger').position);
  }

  /** The newest entry in the log with a key that begins so. */
  newest(key: string): Entry {
    const found = this.log.entries.findLast((entry) => entry.key.startsWith(key));
    const entry = found && decodeEntry(1, found.bytes);
    assert.ok(entry !== undefined, `the log has no ${key}`);
    return entry;
  }

  /** Lines of the trace that hold a text. */
  count(text: string): number {
    return this.trace.last.filter((line) => line.includes(text)).length;
  }

  leader(): Machine | undefined {
    return this.machines.find((machine) => machine.node?.isLeading === true);
  }

  async whenLeads(machine: Machine): Promise<void> {
    await this.until(`${machine.name} leads`, () => machine.node?.isLeading === true);
  }

  /** All that was asked for is in a block, once, and everybody who runs holds the same as somebody who begins with nothing. */
  async finish(): Promise<void> {
    if (this.isBroken) return;
    const running = this.machines.filter((machine) => machine.running !== undefined && !machine.isForeign);
    if (running.length === 0) return;
    for (const flight of this.log.inFlight) flight.lose();
    this.fates.clear();
    this.always.clear();
    await this.until('all that was asked for is in a block', () =>
      this.asked.every(({ raw }) => this.isPublished(raw)),
    );
    const clean = this.machine('clean', { role: 'external' });
    this.boot(clean);
    await this.until('all nodes are settled', () => [...running, clean].every((machine) => this.isSettled(machine)));
    const expected = this.digests(clean);
    for (const machine of running) assert.deepEqual(this.digests(machine), expected, machine.name);
    this.audit.checkIncludedOnce();
    if (this.audit.violation !== undefined) throw this.audit.violation;
  }
}
