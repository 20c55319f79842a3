/** A simulated world: machines with nodes on one log and one L1, in virtual time. Scenarios and random runs are played in it. */
import { type Bytes, bytesKey, toHex } from '../../src/common/bytes.ts';
import type { RandomSource } from '../../src/common/clock.ts';
import { NodeError } from '../../src/common/errors.ts';
import { ReplayErrorCode } from '../../src/consumers/errors.ts';
import type { Software } from '../../src/log/chainFold.ts';
import { type EncodedEntry, decodeEntry, encodeEntry } from '../../src/log/entryCodec.ts';
import { type AppendFate, DELIVERED } from '../../src/log/eventLog.memory.ts';
import { PROJECTION_CHECKPOINT } from '../../src/store/buckets.ts';
import { chainRanges } from '../../src/store/chainStore.ts';
import { SimulatedL1 } from '../l1/simulatedL1.ts';
import { TEST_CHAIN_ID } from '../support/factories.ts';
import { filled, seededRandom } from '../support/logEntries.ts';
import { Audit, Trace } from './audit.ts';
import { SimulatedDisk } from './simulatedDisk.ts';
import { SimulatedLog } from './simulatedLog.ts';
import { CHAIN_STORE_PATH, type NodeListener, SimulatedNode, isError } from './simulatedNode.ts';
import { START_MS, VirtualTime } from './virtualTime.ts';
import { simulatedGenesis } from './workload.ts';

export const OLD_SOFTWARE: Software = { schema: 1, rules: 1 };
export const NEW_SOFTWARE: Software = { schema: 2, rules: 2 };

export interface MachineOptions {
  readonly role?: 'main' | 'external';
  readonly software?: Software;
  readonly chainId?: bigint;
  /** Default: from the name. */
  readonly nodeId?: Bytes;
  readonly disk?: SimulatedDisk;
  readonly sealsBatches?: boolean;
  readonly maxAheadBlocks?: number;
  readonly flushEveryBlocks?: number;
}

/** A process was copied with a claim in its memory, drawn and not sent yet. */
export interface CloneMemory {
  readonly bootId: Bytes;
  readonly claim: Bytes;
  /** Epoch of the log when it was drawn; in another one a copy would have drawn another. */
  epoch: bigint | undefined;
}

/** A computer with its disk; the node on it comes and goes. */
export class Machine {
  readonly name: string;
  readonly options: MachineOptions;
  readonly disk: SimulatedDisk;
  software: Software;
  node: SimulatedNode | undefined;
  lives = 0;
  skewMs = 0;
  readLagMs = 2;
  /** Of the next life: what it has in common with its clone. */
  memory: CloneMemory | undefined;
  /** It is meant to be down. */
  isRetired = false;

  constructor(name: string, options: MachineOptions) {
    this.name = name;
    this.options = options;
    this.disk = options.disk ?? new SimulatedDisk();
    this.software = options.software ?? NEW_SOFTWARE;
  }

  get isMain(): boolean {
    return (this.options.role ?? 'main') === 'main';
  }

  get isForeign(): boolean {
    return this.options.chainId !== undefined && this.options.chainId !== TEST_CHAIN_ID;
  }

  get running(): SimulatedNode | undefined {
    return this.node?.isRunning === true ? this.node : undefined;
  }
}

export interface WorldOptions {
  readonly seed: number;
  /** Every line of the trace, as it happens. */
  readonly print?: (line: string) => void;
}

export class World {
  readonly time = new VirtualTime();
  readonly trace: Trace;
  readonly audit: Audit;
  readonly log: SimulatedLog;
  readonly l1 = new SimulatedL1();
  readonly machines: Machine[] = [];
  readonly #seed: number;
  /** What becomes of the next sends. */
  fateOf: (sender: string, entries: readonly EncodedEntry[]) => AppendFate = () => DELIVERED;
  /** Asked at every durable step: true kills the process there. */
  diesAt: (node: SimulatedNode, what: string) => boolean = () => false;
  /** A process ended by itself or by `diesAt`. */
  onDown: (machine: Machine) => void = () => undefined;
  /** Nodes that have stopped, with their error. */
  readonly stops: { readonly name: string; readonly error: unknown }[] = [];
  readonly #nodes: SimulatedNode[] = [];
  #steps = 0;

  constructor({ seed, print }: WorldOptions) {
    this.#seed = seed;
    this.trace = new Trace(this.time, print);
    this.audit = new Audit(this.trace);
    this.log = new SimulatedLog(
      this.time,
      {
        written: ({ position, key }, sender) => this.trace.add(`log ${position} = ${key} of ${sender}`),
        sent: (sender, entries, { copies, ack, ackError }) => {
          const life = this.machines.find((machine) => machine.name === sender)?.lives ?? 0;
          for (const entry of entries) this.audit.sent(`${sender}/${life}`, entry);
          this.trace.add(
            `${sender} sends ${entries.map(({ key }) => key).join()}: in ${copies.join() || 'never'}, ${ackError === undefined ? 'ack' : 'error'} ${ack}`,
          );
        },
        misused: (sender, what) => this.audit.fail('one producer, one send, none after an error', `${sender}: ${what}`),
      },
      (sender, entries) => this.fateOf(sender, entries),
    );
  }

  /** A source of its own for everything that has a name. */
  random(name: string): () => number {
    let hash = this.#seed | 0;
    for (const character of name) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
    return seededRandom(hash);
  }

  machine(name: string, options: MachineOptions = {}): Machine {
    const machine = new Machine(name, options);
    this.machines.push(machine);
    return machine;
  }

  named(name: string): Machine {
    const found = this.machines.find((machine) => machine.name === name);
    if (found === undefined) throw new RangeError(`there is no machine ${name}`);
    return found;
  }

  /** Genesis of the chain, written by an operator beforehand. */
  writeGenesis(chainId = TEST_CHAIN_ID, logId: Bytes = filled(0x10, 16)): void {
    const ids = { logId, nodeId: filled(0, 16), bootId: filled(0, 16) };
    this.log.write(encodeEntry(simulatedGenesis(ids, chainId)), 'operator');
  }

  /** Its first steps happen as the world goes on; it may die in them. */
  boot(machine: Machine): SimulatedNode {
    const { options, name } = machine;
    machine.lives += 1;
    const draws = this.random(`${name}/${machine.lives}`);
    const bytes: RandomSource = (length) => Uint8Array.from({ length }, () => Math.floor(draws() * 256));
    let { memory } = machine;
    machine.memory = undefined;
    const random: RandomSource = (length) => {
      if (memory === undefined || length !== 16) return bytes(length);
      const { claim } = memory;
      const epoch = node.chain?.status().epoch;
      memory.epoch ??= epoch;
      const isSame = memory.epoch === epoch;
      memory = undefined;
      return isSame ? claim.slice() : bytes(length);
    };
    const role = options.role ?? 'main';
    const chainId = options.chainId ?? TEST_CHAIN_ID;
    const nodeId = options.nodeId ?? nodeIdOf(name);
    const bootId = memory?.bootId ?? bytes(16);
    const node: SimulatedNode = new SimulatedNode({
      name,
      role,
      software: machine.software,
      chainId,
      nodeId,
      bootId,
      genesis: role === 'main' ? () => simulatedGenesis({ logId: random(16), nodeId, bootId }, chainId) : undefined,
      sealsBatches: options.sealsBatches ?? true,
      maxAheadBlocks: options.maxAheadBlocks ?? 8,
      flushEveryBlocks: options.flushEveryBlocks ?? 4,
      random,
      time: this.time,
      log: this.log,
      disk: machine.disk,
      l1: this.l1,
      skewMs: machine.skewMs,
      readLagMs: machine.readLagMs,
      listener: this.#listener(machine),
    });
    machine.node = node;
    this.#nodes.push(node);
    void node.start();
    return node;
  }

  kill(machine: Machine): void {
    if (machine.node !== undefined && !machine.node.life.isDead) machine.node.kill();
  }

  /** Kills, and loses what the disk had not made safe. */
  cutPower(machine: Machine): void {
    this.kill(machine);
    machine.disk.cutPower(this.random(`power ${machine.name}/${machine.lives}`));
  }

  /** Copies the disk of a stopped machine. */
  cloneOf(machine: Machine, name: string, options: MachineOptions = {}): Machine {
    const { nodeId = nodeIdOf(machine.name) } = machine.options;
    const clone = this.machine(name, { ...machine.options, nodeId, ...options, disk: machine.disk.copy() });
    clone.software = machine.software;
    return clone;
  }

  /** Runs the world for so long, or until an invariant is broken. */
  async run(ms: number): Promise<void> {
    await this.runUntil(() => false, ms);
  }

  /** True: it came to be within the time. */
  async runUntil(isTrue: () => boolean, limitMs: number): Promise<boolean> {
    const end = this.time.now + limitMs;
    await settle();
    for (;;) {
      if (isTrue()) return true;
      if (this.audit.violation !== undefined || !this.time.step(end)) return false;
      await settle();
      if (++this.#steps > 1_000_000) this.audit.fail('a run comes to an end', 'a million events have happened');
    }
  }

  /** Ends what is left of every process, so that the memory of this world can be used again. */
  async dispose(): Promise<void> {
    for (const node of this.#nodes) node.dispose();
    await settle();
  }

  isPublished(raw: Bytes): boolean {
    return this.audit.publishedTransactions.has(bytesKey(raw));
  }

  /** Hands a transaction to a node; undefined: taken, else the code of the refusal. */
  async submit(machine: Machine, raw: Bytes): Promise<string | undefined> {
    const node = machine.running;
    if (node === undefined) return 'DOWN';
    try {
      await node.submit(raw);
      return undefined;
    } catch (error) {
      if (error instanceof NodeError) return error.code;
      throw error;
    }
  }

  /** Everything a machine holds, by store; positions of the log and checkpoints left out. */
  digests({ disk }: Machine): Record<string, string> {
    const found: Record<string, string> = {};
    for (const path of disk.paths.sort()) {
      found[path] =
        path === CHAIN_STORE_PATH
          ? disk.data(path).digest({ ranges: [...chainRanges('state'), ...chainRanges('journal')] })
          : disk.data(path).digest({ exclude: [PROJECTION_CHECKPOINT] });
    }
    return found;
  }

  /** Every projection holds what the journal has, and the journal everything accepted. */
  isSettled(machine: Machine): boolean {
    const node = machine.running;
    const status = node?.chain?.status();
    if (node === undefined || status === undefined) return false;
    return (
      status.logPosition === this.log.entries.length - 1 &&
      node.runners.every((runner) => runner.nextIndex === status.journalEnd)
    );
  }

  #listener(machine: Machine): NodeListener {
    return {
      folded: (node, logEntry, result) => {
        const entry = decodeEntry(1, logEntry.bytes);
        const isUpgrade = entry?.kind === 'EpochStarted' && entry.rules > machine.software.rules;
        this.audit.folded(node.name, logEntry, result, isUpgrade || (entry?.kind === 'Genesis' && machine.isForeign));
      },
      published: (node, block) => this.audit.published(node.name, block, node.foldHeight),
      opened: (node, height) => this.audit.opened(node.name, height),
      stopped: (node, error) => {
        const isForeign = machine.isForeign && isError(error, ReplayErrorCode.foreignGenesis);
        const isOld = machine.software.rules < NEW_SOFTWARE.rules && isError(error, ReplayErrorCode.upgradeNeeded);
        // Such a process ends with exit code 75, and whoever runs it starts it again.
        const isRetryable = error instanceof NodeError && error.kind === 'retryable';
        this.stops.push({ name: machine.name, error });
        this.audit.stopped(node.name, error, isForeign || isOld || isRetryable || this.expectsStop(machine, error));
        this.onDown(machine);
      },
      note: (node, text) => this.trace.add(`${node.name} ${text}`),
      step: (node, what) => {
        if (!this.diesAt(node, what)) return;
        this.trace.add(`${node.name} dies ${what}`);
        node.kill();
        this.onDown(machine);
      },
    };
  }

  /** A scenario in which a node must stop says so. */
  expectsStop: (machine: Machine, error: unknown) => boolean = () => false;

  get elapsedMs(): number {
    return this.time.now - START_MS;
  }
}

function nodeIdOf(name: string): Bytes {
  const id = new Uint8Array(16);
  id.set(new TextEncoder().encode(name).subarray(0, 16));
  return id;
}

/** Everything that waits for promises alone has run after this. */
async function settle(): Promise<void> {
  await new Promise<void>((resolve) => {
    setImmediate(resolve);
  });
}

export function shortHash(bytes: Bytes): string {
  return toHex(bytes).slice(0, 10);
}
