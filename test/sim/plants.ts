/**
 * Bugs planted into a copy of the sources, each of which the simulation must find: one for every rule of log-protocol 15
 * that concerns blocks, and mistakes of this code's own.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type SourcePatch, patchedProject } from '../support/sourcePatch.ts';

export interface Plant {
  readonly name: string;
  readonly patches: readonly SourcePatch[];
}

export interface PlantResult {
  readonly name: string;
  /** undefined: not found. */
  readonly seed: number | undefined;
  readonly invariant: string | undefined;
  /** What the simulation printed. */
  readonly output: string;
}

const FOLD = 'src/log/chainFold.ts';
const LEADERSHIP = 'src/log/leadership.ts';
const MANAGER = 'src/log/leadershipManager.ts';
const SEQUENCER = 'src/producers/sequencer.ts';

function patch(file: string, search: string, replace: string): SourcePatch {
  return { file, search, replace };
}

/** Rules of log-protocol 15 by their names there. */
export const RULE_PLANTS: readonly Plant[] = [
  {
    name: 'claim',
    patches: [
      patch(
        FOLD,
        'return equalBytes(entry.logId, state.logId) && equalBytes(entry.claim, state.claim);',
        'return equalBytes(entry.logId, state.logId);',
      ),
    ],
  },
  { name: 'freshClaim', patches: [patch(MANAGER, 'const claim = random(ID_BYTES);', 'const claim = nodeId;')] },
  {
    name: 'epochStep',
    patches: [
      patch(
        FOLD,
        'if (entry.epoch !== state.epoch + 1n) return rejected(classOfEpoch(entry.epoch, state.epoch));',
        'if (entry.epoch < state.epoch) return rejected(classOfEpoch(entry.epoch, state.epoch));',
      ),
    ],
  },
  {
    name: 'parent',
    patches: [
      patch(FOLD, " || !equalBytes(entry.parent, state.parent)) return rejected('gap');", ") return rejected('gap');"),
    ],
  },
  {
    name: 'skip',
    patches: [
      patch(
        FOLD,
        "!equalBytes(entry.parent, state.parent)) return rejected('gap');",
        "!equalBytes(entry.parent, state.parent)) return { verdict: 'stop', state, stopReason: 'upgrade_needed' };",
      ),
    ],
  },
  {
    name: 'readBack',
    patches: [
      patch(
        LEADERSHIP,
        '      () => {\n        this.#isSending = false;\n        this.#send();',
        '      () => {\n        for (const { block } of this.#queue.slice(0, this.#sentCount)) if (block) this.#context.onAcknowledged(block);\n        this.#isSending = false;\n        this.#send();',
      ),
      patch(
        MANAGER,
        '      onSendFailed: (error) => {',
        '      onAcknowledged: (block) => this.#options.onAcknowledged(block),\n      onSendFailed: (error) => {',
      ),
      patch(
        'src/workers/chain.ts',
        '      openProducer: () => log.openProducer(),',
        '      openProducer: () => log.openProducer(),\n      onAcknowledged: ({ height, payload }) => events.accepted({ height, blockHash: payload.output.blockHash, journalEnd: 0 }),',
      ),
    ],
  },
  {
    name: 'matchContent',
    patches: [
      patch(
        LEADERSHIP,
        'if (front === undefined || !equalBytes(front.entryHash, hash)) return undefined;',
        'if (front === undefined || (front.block === undefined ? !equalBytes(front.entryHash, hash) : front.block.height !== foldAfter.height)) return undefined;',
      ),
    ],
  },
  {
    name: 'wholeCheckpoint',
    patches: [
      patch(
        'src/log/logIdentity.ts',
        'writer.optional(fold.claim, (claim) => writer.fixed(claim, ID_BYTES));',
        'writer.optional(undefined, (claim) => writer.fixed(claim, ID_BYTES));',
      ),
    ],
  },
  {
    name: 'schemaGate',
    patches: [
      patch(FOLD, "  if (entry.schema > newestSchemaOf(state.rules)) return rejected('garbage');\n", ''),
      patch(FOLD, ' || entry.schema > newestSchemaOf(state.rules)) return false;', ') return false;'),
    ],
  },
  {
    name: 'oldEpochSchema',
    patches: [
      patch(
        FOLD,
        "if (entry.kind === 'EpochStarted') {\n    if (entry.schema !== 1) return rejected('garbage');",
        "if (entry.kind === 'EpochStarted') {",
      ),
    ],
  },
  {
    name: 'rulesStop',
    patches: [
      patch(
        FOLD,
        "if (entry.rules > software.rules) return { verdict: 'stop', state, stopReason: 'upgrade_needed' };",
        "if (entry.rules > software.rules) return rejected('stale');",
      ),
    ],
  },
  {
    name: 'pureGenesis',
    patches: [
      patch(FOLD, "? { verdict: 'stop', state: next, stopReason: 'foreign_genesis' }", "? rejected('foreign')"),
    ],
  },
];

/** Mistakes that this code could make. */
export const OWN_PLANTS: readonly Plant[] = [
  {
    name: 'the producer is used again after an error',
    patches: [
      patch(
        LEADERSHIP,
        'if (this.#isAlive) this.#context.onSendFailed(error);',
        'this.#isSending = false;\n        this.#sentCount = 0;\n        this.#send();',
      ),
    ],
  },
  {
    name: 'an own claim is recognised by the node id',
    patches: [
      patch(
        MANAGER,
        'const isOurs = this.#myClaims.has(bytesKey(entry.claim));',
        'const isOurs = equalBytes(entry.nodeId, this.#options.nodeId);',
      ),
    ],
  },
  {
    name: 'what was sent is waited for without a deadline',
    patches: [
      patch(
        LEADERSHIP,
        '    if (front === undefined || !this.#isAlive) return;\n    const { clock, deadlineMs',
        '    if (this.#isAlive) return;\n    const { clock, deadlineMs',
      ),
    ],
  },
  {
    name: 'the priority cursor is not undone',
    patches: [
      patch(SEQUENCER, '  #unaccepted: BuiltBlock[] = [];', '  #unaccepted: BuiltBlock[] = [];\n  #cursor = 0n;'),
      patch(
        SEQUENCER,
        'if (last === undefined) return this.#options.head();',
        'if (last === undefined) {\n      const head = this.#options.head();\n      if (head.nextL1PriorityId > this.#cursor) this.#cursor = head.nextL1PriorityId;\n      return { ...head, nextL1PriorityId: this.#cursor };\n    }',
      ),
      patch(
        SEQUENCER,
        'nextL1PriorityId: last.record.startingL1PriorityId + countL1(last.transactions),',
        'nextL1PriorityId: (this.#cursor = last.record.startingL1PriorityId + countL1(last.transactions)),',
      ),
    ],
  },
  {
    name: 'transactions of a block that was given up stay out of the pool',
    patches: [
      patch(SEQUENCER, 'this.#giveBack(given.flatMap((built) => [...built.transactions, ...built.purged]));', ''),
    ],
  },
  {
    name: 'a block that is built counts as state at once',
    patches: [
      patch(
        SEQUENCER,
        '      this.#unaccepted.push(built);',
        '      this.#unaccepted.push(built);\n      this.#options.cache.apply(built.layer);',
      ),
    ],
  },
  {
    name: 'the timestamp is that of the clock alone',
    patches: [
      patch(
        'src/producers/blockContextProvider.ts',
        'timestamp: seconds > parent.timestamp ? seconds : parent.timestamp,',
        'timestamp: seconds,',
      ),
    ],
  },
  {
    name: 'the checkpoint is written before its block',
    patches: [
      patch(
        'src/store/chainStore.ts',
        '    this.#putState(batch, block.height, block.output.writes, block.output.preimages);',
        '    const ahead = new StoreBatch();\n    ahead.put(chainKey(CHAIN.meta, META_CHECKPOINT), checkpoint);\n    await this.#store.write(ahead);\n    this.#putState(batch, block.height, block.output.writes, block.output.preimages);',
      ),
    ],
  },
];

export const PLANTS: readonly Plant[] = [...RULE_PLANTS, ...OWN_PLANTS];

const FOUND = /^FAILED seed (\d+) by invariant: (.*)$/m;

/** Plays seeds from 1 on with the bug in the sources until one fails. */
export async function findPlant({ name, patches }: Plant, seeds = 200): Promise<PlantResult> {
  const project = patchedProject(patches);
  try {
    const args = ['test/sim/main.ts', '--seeds', String(seeds), '--until-failure', '--once', '--jobs', '1'];
    const child = spawn(process.execPath, args, { cwd: project.folder, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (data: Buffer) => (output += data.toString()));
    child.stderr.on('data', (data: Buffer) => (output += data.toString()));
    await once(child, 'close');
    const [, seed, invariant] = FOUND.exec(output) ?? [];
    return { name, seed: seed === undefined ? undefined : Number(seed), invariant, output };
  } finally {
    project.remove();
  }
}

/** All of them, so many at a time; results as they come. */
export async function findPlants(options: {
  readonly plants: readonly Plant[];
  readonly jobs: number;
  readonly onResult: (result: PlantResult) => void;
}): Promise<void> {
  const waiting = [...options.plants];
  const work = async (): Promise<void> => {
    for (let plant = waiting.shift(); plant !== undefined; plant = waiting.shift())
      options.onResult(await findPlant(plant));
  };
  await Promise.all(Array.from({ length: options.jobs }, work));
}

/** `npm run plant -- sim`. Answers whether each was found. */
export async function runPlants(): Promise<boolean> {
  let found = 0;
  await findPlants({
    plants: PLANTS,
    jobs: 2,
    onResult: ({ name, seed, invariant, output }) => {
      if (seed === undefined) console.log(`${name}: NOT FOUND\n${output}`);
      else console.log(`${name}: found at seed ${seed} by invariant: ${invariant}`);
      if (seed !== undefined) found += 1;
    },
  });
  console.log(`${found} passed, ${PLANTS.length - found} failed`);
  return found === PLANTS.length;
}
