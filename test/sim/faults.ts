/** What goes wrong in a random run: the fate of every send, and a fault every second or so, drawn from the seed. */
import { filled } from '../support/logEntries.ts';
import { encodeEntry } from '../../src/log/entryCodec.ts';
import type { EncodedEntry } from '../../src/log/entryCodec.ts';
import { type AppendFate, DELIVERED } from '../../src/log/eventLog.memory.ts';
import { decodeEntry } from '../../src/log/entryCodec.ts';
import type { EpochStartedEntry } from '../../src/log/entry.ts';
import { type CloneMemory, type Machine, NEW_SOFTWARE, OLD_SOFTWARE, type World } from './world.ts';
import type { SimulatedNode } from './simulatedNode.ts';
import { OTHER_CHAIN_ID, plainDeposit, simulatedGenesis } from './workload.ts';
import type { L1TransactionFields } from '../../src/protocol/transactionCodec.ts';

type Weighted = readonly (readonly [weight: number, act: () => void])[];

export class Faults {
  readonly #world: World;
  readonly #draw: () => number;
  #isOn = true;
  /** Deposits that users have made on L1, in order. */
  readonly deposits: Partial<L1TransactionFields>[] = [];
  #mayRaiseRules: boolean;
  #clones = 0;
  /** Dies at its durable step of this number from now on. */
  #doomed: { readonly node: SimulatedNode; steps: number } | undefined;
  /** Machines that may be cloned, paused and so on; the others only follow. */
  readonly #sometimesSlow: boolean;

  constructor(world: World) {
    this.#world = world;
    this.#draw = world.random('faults');
    this.#mayRaiseRules = this.#draw() < 0.3;
    this.#sometimesSlow = this.#draw() < 0.3;
  }

  /** Begins: faults until `stop`; quiet: only L1 goes on, and whoever falls is started again. */
  start(isQuiet = false): void {
    this.#world.onDown = (machine) => this.#bootLater(machine);
    this.#nextL1Block();
    if (isQuiet) return;
    const fateDraw = this.#world.random('fates');
    this.#world.fateOf = (sender, entries) => this.#fate(fateDraw, sender, entries);
    this.#nextFault();
  }

  /** Whether a node that was picked for it dies at this durable step. */
  diesNow(node: SimulatedNode): boolean {
    const doomed = this.#doomed;
    if (doomed?.node !== node || --doomed.steps > 0) return false;
    this.#doomed = undefined;
    return true;
  }

  /** From here on nothing goes wrong any more. What is in flight is lost, or lands in any order. */
  stop(landing?: 'lost' | 'landed'): void {
    const { log, machines } = this.#world;
    this.#isOn = false;
    this.#doomed = undefined;
    this.#world.fateOf = () => DELIVERED;
    const isLost = this.#draw() < 0.5 ? landing !== 'landed' : landing === 'lost';
    const inFlight = [...log.inFlight];
    while (inFlight.length > 0) {
      const [flight] = inFlight.splice(Math.floor(this.#draw() * inFlight.length), 1);
      if (isLost) flight?.lose();
      else flight?.land();
    }
    for (const machine of machines) {
      machine.readLagMs = 2;
      this.#heal(machine);
      if (machine.running === undefined) this.#boot(machine);
    }
  }

  /** A number of `low` to `high`. */
  between(low: number, high: number): number {
    return low + Math.floor(this.#draw() * (high - low + 1));
  }

  #one<T>(values: readonly T[]): T | undefined {
    return values[Math.floor(this.#draw() * values.length)];
  }

  #pick(choices: Weighted): void {
    const total = choices.reduce((sum, [weight]) => sum + weight, 0);
    let at = this.#draw() * total;
    for (const [weight, act] of choices) {
      at -= weight;
      if (at < 0) return act();
    }
  }

  #fate(draw: () => number, sender: string, entries: readonly EncodedEntry[]): AppendFate {
    const soon = (): number => Math.floor(draw() * 40);
    const late = (): number => 500 + Math.floor(draw() * (draw() < 0.3 ? 40_000 : 6_000));
    const kind = draw();
    if (draw() < 0.04) this.#rewrite(draw, entries);
    if (sender.startsWith('operator')) return { copies: [soon()], ack: 0 };
    if (kind < 0.62) {
      const written = soon();
      return { copies: [written], ack: written + soon() };
    }
    if (kind < 0.68) return { copies: [], ack: soon() }; // acknowledged, never written
    if (kind < 0.73) return { copies: [], ack: soon(), ackError: 'not enough replicas' };
    if (kind < 0.77) return { copies: [soon()], ack: soon(), ackError: 'not enough replicas after append' };
    if (kind < 0.81) return { copies: [soon()], ack: 'never' };
    if (kind < 0.86) return { copies: [soon(), late()], ack: soon() };
    if (kind < 0.91) return { copies: [late()], ack: soon() };
    if (kind < 0.95) return { copies: [late()], ack: soon(), ackError: 'request timed out' };
    if (kind < 0.97) return { copies: [late(), late()], ack: 'never' };
    return { copies: [soon()], ack: late() };
  }

  /** The same content under schema 2, as software that came too early would write it. */
  #rewrite(draw: () => number, entries: readonly EncodedEntry[]): void {
    const entry = entries[Math.floor(draw() * entries.length)];
    if (entry !== undefined) this.#world.log.write({ ...entry, schema: 2 }, 'early software');
  }

  #nextFault(): void {
    this.#world.time.after(this.between(100, 1_800), () => {
      if (!this.#isOn) return;
      this.#fault();
      this.#nextFault();
    });
  }

  #fault(): void {
    const { machines, log } = this.#world;
    const machine = this.#one(machines);
    const node = machine?.running;
    if (machine === undefined || node === undefined) return;
    const { name } = machine;
    const { trace } = this.#world;
    this.#pick([
      [8, () => (this.#world.kill(machine), this.#bootLater(machine))],
      [8, () => (this.#doomed = { node, steps: this.between(1, 12) })],
      [6, () => (this.#world.cutPower(machine), this.#bootLater(machine))],
      [8, () => this.#pause(machine)],
      [8, () => this.#cut(machine, 'reads')],
      [6, () => this.#cut(machine, 'writes')],
      [6, () => this.#cut(machine, 'both')],
      [10, () => this.#lag(machine)],
      [6, () => this.#clone(machine)],
      [4, () => (trace.add(`clock of ${name}`), (node.clock.skewMs = machine.skewMs = this.between(-5_000, 5_000)))],
      [8, () => this.#copyOld()],
      [4, () => this.#garbage()],
      [2, () => this.#foreignGenesis()],
      [6, () => this.#landOne()],
      [3, () => this.#raiseRules()],
      [4, () => this.#forgedClaim()],
      [3, () => void log],
    ]);
  }

  #bootLater(machine: Machine): void {
    if (machine.isRetired || !this.#isOn) {
      if (!machine.isRetired) this.#world.time.after(200, () => this.#boot(machine));
      return;
    }
    const mayStay =
      machine.software.rules < NEW_SOFTWARE.rules && this.#world.stops.some(({ name }) => name === machine.name);
    if (mayStay) machine.software = NEW_SOFTWARE;
    this.#world.time.after(this.between(50, 4_000), () => this.#boot(machine));
  }

  #boot(machine: Machine): void {
    if (machine.isRetired || machine.running !== undefined) return;
    if (machine.isForeign && machine.lives > 0) return;
    const isOutdated =
      machine.software.rules < NEW_SOFTWARE.rules && this.#world.stops.some(({ name }) => name === machine.name);
    if (isOutdated) machine.software = NEW_SOFTWARE;
    this.#world.boot(machine);
  }

  #pause(machine: Machine): void {
    const { node } = machine;
    node?.pause();
    this.#world.trace.add(`${machine.name} is paused`);
    this.#world.time.after(this.between(500, 9_000), () => {
      if (node?.life.isPaused !== true) return;
      this.#world.trace.add(`${machine.name} goes on`);
      node.resume();
    });
  }

  #cut(machine: Machine, what: 'reads' | 'writes' | 'both'): void {
    const { node } = machine;
    if (node === undefined) return;
    this.#world.trace.add(`${machine.name} is cut off: ${what}`);
    if (what !== 'writes') node.view.cutReads();
    if (what !== 'reads') node.view.isWriteCut = true;
    this.#world.time.after(this.between(500, 10_000), () => {
      if (machine.node === node) this.#heal(machine);
    });
  }

  #heal(machine: Machine): void {
    const { node } = machine;
    if (node === undefined || node.life.isDead) return;
    node.view.readLagMs = machine.readLagMs;
    node.view.isWriteCut = false;
    node.view.healReads();
    if (node.life.isPaused) node.resume();
  }

  #lag(machine: Machine): void {
    const lagMs = this.#sometimesSlow ? this.between(500, 4_000) : this.between(0, 600);
    this.#world.trace.add(`${machine.name} reads ${lagMs} ms late`);
    machine.readLagMs = lagMs;
    if (machine.node !== undefined) machine.node.view.readLagMs = lagMs;
  }

  /** The machine comes back twice, with the same disk and the same claim in memory. */
  #clone(machine: Machine): void {
    if (!machine.isMain || machine.isForeign || this.#clones >= 2) return;
    const number = ++this.#clones;
    const world = this.#world;
    world.kill(machine);
    const clone = world.cloneOf(machine, `${machine.name}${"'".repeat(number)}`);
    const draws = world.random(`clone ${number}`);
    const draw = (): Uint8Array => Uint8Array.from({ length: 16 }, () => Math.floor(draws() * 256));
    const memory: CloneMemory = { bootId: draw(), claim: draw(), epoch: undefined };
    machine.memory = memory;
    clone.memory = memory;
    clone.readLagMs = machine.readLagMs;
    clone.skewMs = this.between(-3_000, 3_000);
    world.trace.add(`${machine.name} is cloned as ${clone.name}`);
    world.time.after(500, () => {
      this.#boot(machine);
      this.#boot(clone);
    });
    world.time.after(this.between(8_000, 20_000), () => {
      clone.isRetired = true;
      world.kill(clone);
    });
  }

  /** A copy of anything that is in the log already. */
  #copyOld(): void {
    const { log } = this.#world;
    const newest = log.entries.slice(-6);
    const entry = this.#one(this.#draw() < 0.5 ? newest : log.entries);
    if (entry !== undefined) log.write({ schema: entry.schema, key: entry.key, bytes: entry.bytes }, 'copier');
  }

  #freshClaim(): Uint8Array {
    return Uint8Array.from({ length: 16 }, () => this.between(0, 255));
  }

  #landOne(): void {
    this.#one(this.#world.log.inFlight)?.land();
  }

  #garbage(): void {
    const { log } = this.#world;
    const entry = this.#one(log.entries);
    if (entry === undefined) return;
    const bytes = new Uint8Array(entry.bytes.length + 1);
    bytes.set(entry.bytes);
    const kinds: EncodedEntry[] = [
      { schema: 1, key: 'garbage', bytes: Uint8Array.from({ length: 40 }, () => this.between(0, 255)) },
      { schema: 1, key: 'trailing', bytes },
      { schema: 7, key: 'unknown', bytes: entry.bytes },
      { schema: 0, key: 'unnamed', bytes: entry.bytes },
      { schema: 1, key: 'short', bytes: entry.bytes.slice(0, -1) },
    ];
    const garbage = this.#one(kinds);
    if (garbage !== undefined) log.write(garbage, 'vandal');
  }

  #foreignGenesis(): void {
    const ids = { logId: filled(this.between(1, 250), 16), nodeId: filled(9, 16), bootId: filled(9, 16) };
    this.#world.log.write(encodeEntry(simulatedGenesis(ids, OTHER_CHAIN_ID)), 'stranger');
  }

  /** Somebody claims the next epoch, or the present one again, and never shows up; or does so in schema 2. */
  #forgedClaim(): void {
    const { log } = this.#world;
    const last = log.entries.findLast(({ key }) => key.startsWith('EpochStarted/'));
    const entry = last && decodeEntry(1, last.bytes);
    if (entry?.kind !== 'EpochStarted') return;
    const forged: EpochStartedEntry = {
      ...entry,
      claim: this.#freshClaim(),
      epoch: entry.epoch + BigInt(this.between(0, 2)),
      ...(this.#draw() < 0.5 && { head: undefined }),
    };
    const encoded = encodeEntry(forged);
    log.write(this.#draw() < 0.5 ? encoded : { ...encoded, schema: 2 }, 'ghost');
  }

  /** The operator's order: new rules from the next epoch on. Old software stops there. */
  #raiseRules(): void {
    const { machines, log, trace } = this.#world;
    if (
      !this.#mayRaiseRules ||
      !machines.some(({ running, software }) => running !== undefined && software === NEW_SOFTWARE)
    )
      return;
    const last = log.entries.findLast(({ key }) => key.startsWith('EpochStarted/'));
    const entry = last && decodeEntry(1, last.bytes);
    if (entry?.kind !== 'EpochStarted') return;
    trace.add('the operator raises the rules');
    log.write(
      encodeEntry({
        ...entry,
        epoch: entry.epoch + 1n,
        claim: this.#freshClaim(),
        rules: NEW_SOFTWARE.rules,
        head: undefined,
      }),
      'operator',
    );
  }

  /** L1 goes on, and takes back a block now and then, within the confirmation depth. */
  #nextL1Block(): void {
    const { time, l1, trace } = this.#world;
    time.after(this.between(300, 1_500), () => {
      const isReorganised = this.#isOn && this.#draw() < 0.1 && l1.height > 2;
      if (isReorganised) {
        l1.rollBack(1);
        trace.add(`L1 goes back to ${l1.height}`);
        l1.mineThese([]);
      }
      if (this.#isOn && this.#draw() < 0.3) this.deposits.push(plainDeposit(this.deposits.length));
      const next = this.deposits.slice(l1.requests.length, l1.requests.length + this.between(0, 2));
      l1.mineThese(next);
      trace.add(`L1 ${l1.height}: ${next.length} requests`);
      this.#nextL1Block();
    });
  }
}

/** Which machines a seed has. */
export function machinesOf(world: World, mainNodes?: 1 | 2): void {
  const draw = world.random('machines');
  const depth = (): number => (draw() < 0.5 ? 8 : 2);
  const flush = (): number => 1 + Math.floor(draw() * 6);
  const drawn = draw() < 0.25 ? 1 : 2;
  const mains = mainNodes ?? drawn;
  world.machine('A', { maxAheadBlocks: depth(), flushEveryBlocks: flush() });
  if (mains > 1)
    world.machine('B', {
      maxAheadBlocks: depth(),
      flushEveryBlocks: flush(),
      ...(draw() < 0.4 && { software: OLD_SOFTWARE }),
    });
  const third = draw();
  if (third < 0.35) world.machine('O', { role: 'external', software: OLD_SOFTWARE, flushEveryBlocks: flush() });
  else if (third < 0.6) world.machine('X', { role: 'external', flushEveryBlocks: flush() });
  else if (third < 0.8) world.machine('F', { role: 'external', chainId: OTHER_CHAIN_ID });
}
