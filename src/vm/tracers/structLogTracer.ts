/**
 * Struct logs: one entry for every opcode, the tracer of a request that names none (spec: rpc 12), in the form of the
 * execution-apis: words with 0x and of full length in memory and storage, quantities on the stack.
 */
import { asBuffer, bytesKey, EMPTY_BYTES, toHex } from '../../common/bytes.ts';
import type { Bytes } from '../../common/bytes.ts';
import { OPCODE_GAS, opcodeName } from '../opcodes.ts';
import type { TracedEnd, TracedFrame, TracedResult, TracedStep } from '../tracer.ts';
import type { ResultSize, TransactionTracer } from './transactionTracer.ts';

export interface StructLogConfig {
  readonly disableStack: boolean;
  readonly disableStorage: boolean;
  readonly enableMemory: boolean;
  readonly enableReturnData: boolean;
  /** Most entries; 0: all. */
  readonly limit: number;
}

/** The newest entry, whose cost is known when the next thing happens. */
interface Pending {
  readonly opcode: number;
  readonly gas: number;
  readonly depth: number;
  readonly self: Bytes;
  /** Text in front of and behind the cost. */
  readonly head: string;
  readonly tail: string;
  /** Of SLOAD: the slot whose value is the result. */
  readonly slot: string | undefined;
}

const SLOAD = 0x54;
const SSTORE = 0x55;
const WORD_BYTES = 32;
const MEMORY_WORD_CHARACTERS = 69;
const REVERTED = 'execution reverted';
/** An entry with three items on its stack, about. */
const STEP_WORK = 40;
/** Characters of text for one work unit. */
const CHARACTERS_PER_WORK = 4;

const NAMES = Array.from({ length: 256 }, (_, opcode) => opcodeName(opcode));

export class StructLogTracer implements TransactionTracer {
  readonly #config: StructLogConfig;
  readonly #size: ResultSize;
  readonly #entries: string[] = [];
  /** By account: what SLOAD and SSTORE have shown of its storage. */
  readonly #storage = new Map<string, Map<string, string>>();
  #pending: Pending | undefined;
  #isInSelfDestruct = false;
  /** Characters written since the newest step. */
  #written = 0;
  #end: Omit<TracedEnd, 'state'> = { success: false, gasUsed: 0n, returnData: EMPTY_BYTES };

  constructor(options: { readonly config: StructLogConfig; readonly size: ResultSize }) {
    this.#config = options.config;
    this.#size = options.size;
  }

  step(step: TracedStep): number {
    this.#settle(step.gas, step);
    const { limit } = this.#config;
    if (limit !== 0 && this.#entries.length >= limit) return 1;
    const { opcode, gas, depth, self } = step;
    if (opcode === SSTORE && step.stackSize > 1)
      this.#storageOf(self).set(wordText(step.stackItem(0)), wordText(step.stackItem(1)));
    this.#pending = {
      opcode,
      gas,
      depth,
      self,
      head: `{"pc":${step.pc},"op":"${NAMES[opcode] ?? ''}","gas":${gas},"gasCost":`,
      tail: `${this.#stack(step)}${this.#memory(step)}${this.#returnData(step)}`,
      slot: opcode === SLOAD && step.stackSize > 0 ? wordText(step.stackItem(0)) : undefined,
    };
    const work = STEP_WORK + Math.ceil(this.#written / CHARACTERS_PER_WORK);
    this.#written = 0;
    return work;
  }

  enter({ kind, gas, gasKept }: TracedFrame): void {
    // Told as a frame from within its opcode.
    this.#isInSelfDestruct = kind === 'SELFDESTRUCT';
    if (this.#isInSelfDestruct) return;
    // A call costs what it passes on, a creation does not.
    this.#settle(kind === 'CREATE' || kind === 'CREATE2' ? gas + gasKept : gasKept);
  }

  exit({ success, gasLeft, error }: TracedResult): void {
    const pending = this.#pending;
    const isSelfDestruct = this.#isInSelfDestruct;
    this.#isInSelfDestruct = false;
    if (pending === undefined || isSelfDestruct) return;
    if (success || error === REVERTED) this.#settle(gasLeft);
    else this.#write(pending, OPCODE_GAS[pending.opcode] ?? 0, error);
  }

  log(): void {
    // The opcode is an entry already.
  }

  end({ success, gasUsed, returnData }: TracedEnd): void {
    this.#end = { success, gasUsed, returnData };
  }

  missingCode(): readonly Bytes[] {
    return [];
  }

  *result(): Iterable<string> {
    const { success, gasUsed, returnData } = this.#end;
    yield `{"gas":${gasUsed},"failed":${!success},"returnValue":"${toHex(returnData)}","structLogs":[`;
    for (let i = 0; i < this.#entries.length; i += 1) yield (i === 0 ? '' : ',') + this.#entries[i];
    yield ']}';
  }

  /** The pending opcode is over and left so much gas in its frame; `next` is the step that follows in it. */
  #settle(gasLeft: number, next?: TracedStep): void {
    const pending = this.#pending;
    if (pending === undefined) return;
    if (pending.slot !== undefined && next !== undefined && next.stackSize > 0)
      this.#storageOf(pending.self).set(pending.slot, wordText(next.stackItem(0)));
    this.#write(pending, pending.gas - gasLeft, undefined);
  }

  #write({ opcode, depth, self, head, tail }: Pending, gasCost: number, error: string | undefined): void {
    this.#pending = undefined;
    const errorText = error === undefined ? '' : `,"error":${JSON.stringify(error)}`;
    const storage = opcode === SLOAD || opcode === SSTORE ? this.#storageText(self) : '';
    // This chain gives no refunds.
    const end = `${gasCost},"depth":${depth},"refund":0${errorText}`;
    this.#count(head.length + end.length + storage.length + 2);
    this.#entries.push(`${head}${end}${tail}${storage}}`);
  }

  /** Before what is long is written. */
  #count(characters: number): void {
    this.#written += characters;
    this.#size.add(characters);
  }

  #stack(step: TracedStep): string {
    if (this.#config.disableStack) return '';
    const items: string[] = [];
    for (let i = step.stackSize - 1; i >= 0; i -= 1) items.push(`"0x${step.stackItem(i).toString(16)}"`);
    const text = `,"stack":[${items.join(',')}]`;
    this.#count(text.length);
    return text;
  }

  #memory({ memory }: TracedStep): string {
    if (!this.#config.enableMemory) return '';
    this.#count((memory.length / WORD_BYTES) * MEMORY_WORD_CHARACTERS);
    const words: string[] = [];
    const buffer = asBuffer(memory);
    for (let at = 0; at < memory.length; at += WORD_BYTES)
      words.push(`"0x${buffer.toString('hex', at, at + WORD_BYTES)}"`);
    return `,"memory":[${words.join(',')}]`;
  }

  #returnData({ returnData }: TracedStep): string {
    if (!this.#config.enableReturnData) return '';
    this.#count(2 * returnData.length);
    return `,"returnData":"${toHex(returnData)}"`;
  }

  #storageOf(address: Bytes): Map<string, string> {
    const key = bytesKey(address);
    const known = this.#storage.get(key);
    if (known !== undefined) return known;
    const storage = new Map<string, string>();
    this.#storage.set(key, storage);
    return storage;
  }

  #storageText(self: Bytes): string {
    const storage = this.#config.disableStorage ? undefined : this.#storage.get(bytesKey(self));
    if (storage === undefined || storage.size === 0) return '';
    return `,"storage":{${[...storage].map(([slot, value]) => `"${slot}":"${value}"`).join(',')}}`;
  }
}

function wordText(word: bigint): string {
  return `0x${word.toString(16).padStart(2 * WORD_BYTES, '0')}`;
}
