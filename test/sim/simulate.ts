/** One random run: machines, users and faults from a seed, and everything that must hold during and after it. */
import { type Machine, World } from './world.ts';
import { Faults, machinesOf } from './faults.ts';
import type { Violation } from './audit.ts';
import { withoutRealTime } from './realTime.ts';
import { type SimulatedNode } from './simulatedNode.ts';
import { NONCES, SIGNERS, type Wish, fundingDeposit, signedWishes } from './workload.ts';

export interface RunResult {
  readonly seed: number;
  readonly violation: Violation | undefined;
  /** Of every event in order, and of what the nodes hold in the end. */
  readonly auditHash: string;
  readonly last: readonly string[];
  readonly facts: RunFacts;
}

export interface RunFacts {
  readonly blocks: number;
  readonly epochs: number;
  readonly entries: number;
  /** Of nodes, from start to end. */
  readonly lives: number;
  /** Of node A. */
  readonly durableSteps: number;
  readonly lines: number;
}

export interface RunOptions {
  readonly seed: number;
  readonly print?: (line: string) => void;
  /** Kills the main node A at its durable step of this number, from 1. */
  readonly crashAt?: number | undefined;
  /** No faults but that crash. */
  readonly isQuiet?: boolean | undefined;
  /** How long things go wrong. */
  readonly faultsMs?: number;
  /** What becomes of what is in flight when faults stop; default: the seed decides. */
  readonly landing?: 'lost' | 'landed';
  /** Default: the seed decides. */
  readonly mainNodes?: 1 | 2;
}

const FAULTS_MS = 25_000;
/** The users' first transfers. */
const FIRST_WISH_MS = 3_000;
const USER_EVERY_MS = 700;
const SETTLE_LIMIT_MS = 400_000;
const CHECK_EVERY_MS = 500;

/** Never throws for a broken invariant: the result names it. */
export async function simulate(options: RunOptions): Promise<RunResult> {
  const wishes = await signedWishes();
  return withoutRealTime(() => new RandomRun(options, wishes).run());
}

class RandomRun {
  readonly #options: RunOptions;
  readonly #wishes: readonly Wish[][];
  readonly #world: World;
  readonly #faults: Faults;
  readonly #sent: Wish[] = [];
  readonly #faultsMs: number;
  #steps = 0;

  constructor(options: RunOptions, wishes: readonly Wish[][]) {
    this.#options = options;
    this.#faultsMs = options.faultsMs ?? FAULTS_MS;
    this.#wishes = wishes;
    this.#world = new World(options);
    this.#faults = new Faults(this.#world);
  }

  async run(): Promise<RunResult> {
    const world = this.#world;
    this.#countSteps();
    machinesOf(world, this.#options.mainNodes);
    for (let signer = 0; signer < SIGNERS; signer++) this.#faults.deposits.push(fundingDeposit(this.#wishes, signer));
    if (world.random('genesis')() < 0.7) world.writeGenesis();
    for (const machine of world.machines) if (!machine.isForeign) world.boot(machine);
    const foreign = world.machines.find(({ isForeign }) => isForeign);
    if (foreign !== undefined) world.time.after(9_000, () => world.boot(foreign));
    this.#faults.start(this.#options.isQuiet === true);
    this.#nextWish();
    await world.run(this.#faultsMs);
    if (world.audit.violation === undefined) await this.#settle();
    const { audit, trace } = world;
    await world.dispose();
    return {
      seed: this.#options.seed,
      violation: audit.violation,
      auditHash: trace.digest(),
      last: trace.last,
      facts: {
        blocks: audit.height,
        epochs: audit.epochs,
        entries: world.log.entries.length,
        lives: world.machines.reduce((sum, machine) => sum + machine.lives, 0),
        durableSteps: this.#steps,
        lines: trace.lines,
      },
    };
  }

  #countSteps(): void {
    const { crashAt } = this.#options;
    this.#world.diesAt = (node: SimulatedNode) => {
      if (this.#faults.diesNow(node)) return true;
      if (node.name !== 'A') return false;
      this.#steps += 1;
      return this.#steps === crashAt;
    };
  }

  /** Users send one transfer after the other, each to some main node, and again until they see it in a block. */
  #nextWish(): void {
    const { time } = this.#world;
    const draw = this.#world.random('users');
    const next = new Array<number>(SIGNERS).fill(0);
    const send = (): void => {
      if (this.#world.elapsedMs < this.#faultsMs) {
        const signer = Math.floor(draw() * SIGNERS);
        const wish = this.#wishes[signer]?.[next[signer] ?? NONCES];
        if (wish !== undefined && (next[signer] ?? 0) < NONCES - 1) {
          next[signer] = wish.nonce + 1;
          this.#sent.push(wish);
          this.#offer(wish, draw);
        }
      }
      time.after(USER_EVERY_MS, send);
    };
    time.after(FIRST_WISH_MS, send);
  }

  /** Until it is published. */
  #offer(wish: Wish, draw: () => number): void {
    if (this.#world.isPublished(wish.raw)) return;
    const mains = this.#world.machines.filter((machine) => machine.isMain && machine.running !== undefined);
    const machine = mains[Math.floor(draw() * mains.length)];
    if (machine !== undefined)
      void this.#world.submit(machine, wish.raw).then((refusal) => {
        this.#world.trace.add(`user ${wish.signer}/${wish.nonce} at ${machine.name}: ${refusal ?? 'taken'}`);
      });
    this.#world.time.after(2_000 + Math.floor(draw() * 2_000), () => this.#offer(wish, draw));
  }

  /** Faults stop. Everything that users want must happen, soon, and all nodes must end up alike. */
  async #settle(): Promise<void> {
    const world = this.#world;
    const { audit } = world;
    // Of several main nodes each may have one claim on its way without knowing of the others.
    const inFlight = this.#unread() + this.#followers().filter(({ isMain }) => isMain).length - 1;
    const epochs = audit.epochs;
    const height = audit.height;
    world.trace.add(`faults stop: height ${height}, epoch ${epochs}, ${inFlight} in flight`);
    this.#faults.stop(this.#options.landing);
    for (let signer = 0; signer < SIGNERS; signer++) {
      const last = this.#wishes[signer]?.[this.#sent.filter((wish) => wish.signer === signer).length];
      if (last === undefined) continue;
      this.#sent.push(last);
      this.#offer(last, world.random(`last ${signer}`));
    }
    const hasBlock = await world.runUntil(() => audit.height > height, SETTLE_LIMIT_MS);
    if (audit.violation !== undefined) return;
    if (!hasBlock)
      return audit.fail('blocks go on when faults stop', `no block after ${height} within ${SETTLE_LIMIT_MS} ms`);
    if (audit.epochs - epochs > inFlight + 1)
      return audit.fail(
        'a block after at most (in flight) + 1 claims',
        `${audit.epochs - epochs} epochs, ${inFlight} in flight`,
      );
    if (!(await this.#until(() => this.#isDone()))) return;
    await this.#compareWithCleanFold();
    audit.checkIncludedOnce();
  }

  /** Entries that are on their way into the log, or that some node has still to read. */
  #unread(): number {
    const { log, machines } = this.#world;
    const positions = machines.flatMap(({ running }) => running?.chain?.status().logPosition ?? []);
    const slowest = Math.min(log.entries.length - 1, ...positions);
    return log.inFlight.length + (log.entries.length - 1 - slowest);
  }

  #followers(): Machine[] {
    return this.#world.machines.filter((machine) => !machine.isForeign && !machine.isRetired);
  }

  #isDone(): boolean {
    const { l1, audit } = this.#world;
    const newest = audit.blocks.at(-1)?.entry.record;
    if (newest === undefined || !this.#sent.every(({ raw }) => this.#world.isPublished(raw))) return false;
    if (l1.requests.length < this.#faults.deposits.length) return false;
    return this.#followers().every(
      (machine) =>
        machine.running?.chain?.status().nextL1PriorityId === BigInt(l1.requests.length) &&
        this.#world.isSettled(machine),
    );
  }

  async #until(isTrue: () => boolean): Promise<boolean> {
    const world = this.#world;
    let nextCheckMs = world.time.now;
    const isReached = await world.runUntil(() => {
      if (world.time.now < nextCheckMs) return false;
      nextCheckMs = world.time.now + CHECK_EVERY_MS;
      return isTrue();
    }, SETTLE_LIMIT_MS);
    if (!isReached && world.audit.violation === undefined) this.#tellWhatIsMissing();
    return isReached;
  }

  #tellWhatIsMissing(): void {
    const { audit, l1, log } = this.#world;
    const missing = this.#sent.filter(({ raw }) => !this.#world.isPublished(raw)).map((w) => `${w.signer}/${w.nonce}`);
    const nodes = this.#followers().map((machine) => {
      const status = machine.running?.chain?.status();
      return `${machine.name} ${status === undefined ? 'down' : `height ${status.height} log ${status.logPosition} priority ${status.nextL1PriorityId} settled ${this.#world.isSettled(machine)}`}`;
    });
    audit.fail(
      'everything asked for happens when faults stop',
      `missing ${missing.join() || 'nothing'}; log ${log.entries.length}, L1 ${l1.requests.length}/${this.#faults.deposits.length}; ${nodes.join('; ')}`,
    );
  }

  /** Somebody who has nothing reads the whole log; every node must hold what he holds. */
  async #compareWithCleanFold(): Promise<void> {
    const world = this.#world;
    const clean = world.machine('clean', { role: 'external', sealsBatches: false });
    world.boot(clean);
    if (!(await this.#until(() => this.#isDone()))) return;
    const expected = world.digests(clean);
    for (const machine of this.#followers()) {
      const found = world.digests(machine);
      for (const [path, digest] of Object.entries(expected)) {
        world.trace.add(`${machine.name} ${path} ${digest}`);
        if (found[path] !== digest)
          world.audit.fail(
            'stores equal a clean fold',
            `${path} of ${machine.name} differs at height ${world.audit.height}`,
          );
      }
    }
  }
}
