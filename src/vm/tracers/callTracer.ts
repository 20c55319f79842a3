/** callTracer: calls, creations and selfdestructs of a transaction as a tree (spec: rpc 12). */
import { EMPTY_BYTES, toHex } from '../../common/bytes.ts';
import type { Bytes } from '../../common/bytes.ts';
import type { Log } from '../../protocol/blockOutput.ts';
import type { TracedEnd, TracedFrame, TracedKind, TracedResult } from '../tracer.ts';
import type { ResultSize, TracedTransaction, TransactionTracer } from './transactionTracer.ts';

export interface CallTracerConfig {
  readonly onlyTopCall: boolean;
  readonly withLog: boolean;
}

interface TracedLog extends Log {
  /** Calls of the frame that came before. */
  readonly position: number;
  /** Logs that stay, of frames that came before and are not recorded. */
  readonly unrecordedBefore: number;
  /** Within the block; undefined: the log was taken back. */
  index: number | undefined;
}

interface Call {
  readonly kind: TracedKind;
  readonly from: Bytes;
  readonly to: Bytes;
  readonly value: bigint;
  readonly gas: number;
  readonly input: Bytes;
  readonly calls: Call[];
  readonly logs: TracedLog[];
  gasUsed: number;
  output: Bytes;
  error: string | undefined;
}

/** Text of a frame and of a log without what has a length of its own, bytes. */
const FRAME_TEXT_BYTES = 350;
const LOG_TEXT_BYTES = 150;
const TOPIC_TEXT_BYTES = 70;
const OUT_OF_NATIVE = 'out of native resources';
const REVERTED = 'execution reverted';

export class CallTracer implements TransactionTracer {
  readonly #transaction: TracedTransaction;
  readonly #config: CallTracerConfig;
  readonly #size: ResultSize;
  readonly #firstLogIndex: number;
  readonly #revertReason: (output: Bytes) => string | undefined;
  /** Frames in progress. */
  readonly #open: Call[] = [];
  /** Open frames that are not recorded: how many logs each of them has so far. */
  readonly #unrecorded: number[] = [];
  /** Logs of such frames that ended well. */
  #unrecordedLogs = 0;
  #root: Call | undefined;

  constructor(options: {
    readonly transaction: TracedTransaction;
    readonly config: CallTracerConfig;
    readonly size: ResultSize;
    /** Logs of the block before this transaction. */
    readonly firstLogIndex: number;
    /** What revert data says in words; undefined: nothing. */
    readonly revertReason: (output: Bytes) => string | undefined;
  }) {
    this.#transaction = options.transaction;
    this.#config = options.config;
    this.#size = options.size;
    this.#firstLogIndex = options.firstLogIndex;
    this.#revertReason = options.revertReason;
  }

  enter(frame: TracedFrame): void {
    if (this.#config.onlyTopCall && this.#root !== undefined) {
      this.#unrecorded.push(0);
      return;
    }
    this.#size.add(FRAME_TEXT_BYTES + 2 * frame.input.length);
    const { kind, from, to, value, gas, input } = frame;
    const call: Call = {
      kind,
      from,
      to,
      value,
      gas,
      input: input.slice(),
      calls: [],
      logs: [],
      gasUsed: 0,
      output: EMPTY_BYTES,
      error: undefined,
    };
    this.#open.at(-1)?.calls.push(call);
    this.#root ??= call;
    this.#open.push(call);
  }

  exit({ success, output, gasLeft, error }: TracedResult): void {
    const unrecordedLogs = this.#unrecorded.pop();
    if (unrecordedLogs !== undefined) {
      if (success) this.#countUnrecorded(unrecordedLogs);
      return;
    }
    const call = this.#open.pop();
    if (call === undefined) return;
    call.gasUsed = call.gas - gasLeft;
    if (!success) call.error = error ?? REVERTED;
    if (!success && error !== REVERTED) return;
    this.#size.add(4 * output.length);
    call.output = output.slice();
  }

  log(log: Log): void {
    const call = this.#open.at(-1);
    if (!this.#config.withLog || call === undefined) return;
    if (this.#unrecorded.length > 0) {
      this.#countUnrecorded(1);
      return;
    }
    this.#size.add(LOG_TEXT_BYTES + TOPIC_TEXT_BYTES * log.topics.length + 2 * log.data.length);
    const unrecordedBefore = this.#unrecordedLogs;
    call.logs.push({ ...log, position: call.calls.length, unrecordedBefore, index: undefined });
  }

  #countUnrecorded(logs: number): void {
    const inner = this.#unrecorded.pop();
    if (inner === undefined) this.#unrecordedLogs += logs;
    else this.#unrecorded.push(inner + logs);
  }

  end({ success }: TracedEnd): void {
    const root = (this.#root ??= this.#neverBegun());
    // Ended well, and could not pay for its pubdata.
    if (!success && root.error === undefined) {
      root.error = OUT_OF_NATIVE;
      root.output = EMPTY_BYTES;
      root.gasUsed = root.gas;
    }
  }

  missingCode(): readonly Bytes[] {
    return [];
  }

  *result(): Iterable<string> {
    const root = (this.#root ??= this.#neverBegun());
    numberLogs(root, this.#firstLogIndex);
    const open: { call: Call; next: number }[] = [];
    yield this.#head(root);
    open.push({ call: root, next: 0 });
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      const child = top.call.calls[top.next];
      if (child === undefined) {
        yield top.next === 0 ? '}' : ']}';
        open.pop();
      } else {
        yield `${top.next === 0 ? ',"calls":[' : ','}${this.#head(child)}`;
        top.next += 1;
        open.push({ call: child, next: 0 });
      }
    }
  }

  /** A transaction that could not pay for what comes before its first frame. */
  #neverBegun(): Call {
    const { from, to, value, gasLimit, input } = this.#transaction;
    const gas = Number(gasLimit);
    return {
      kind: to === undefined ? 'CREATE' : 'CALL',
      from,
      to: to ?? EMPTY_BYTES,
      value,
      gas,
      input,
      calls: [],
      logs: [],
      gasUsed: gas,
      output: EMPTY_BYTES,
      error: OUT_OF_NATIVE,
    };
  }

  /** The object of a call up to its `calls`, without the closing brace. */
  #head(call: Call): string {
    const { kind, from, to, value, gas, gasUsed, input, output, error, logs } = call;
    const hasFailedToCreate = error !== undefined && (kind === 'CREATE' || kind === 'CREATE2');
    const reason = error === REVERTED ? this.#revertReason(output) : undefined;
    const kept = logs.filter(({ index }) => index !== undefined);
    return JSON.stringify({
      type: kind,
      from: toHex(from),
      ...(hasFailedToCreate ? {} : { to: toHex(to) }),
      ...(kind === 'STATICCALL' ? {} : { value: `0x${value.toString(16)}` }),
      gas: `0x${gas.toString(16)}`,
      gasUsed: `0x${gasUsed.toString(16)}`,
      input: toHex(input),
      ...(output.length === 0 ? {} : { output: toHex(output) }),
      ...(error === undefined ? {} : { error }),
      ...(reason === undefined || reason === '' ? {} : { revertReason: reason }),
      ...(kept.length === 0 ? {} : { logs: kept.map(logObject) }),
    }).slice(0, -1);
  }
}

/** Numbers the logs in the order in which they were emitted, passing over those of frames that failed. */
function numberLogs(root: Call, first: number): void {
  let index = first;
  const open = [{ call: root, nextCall: 0, nextLog: 0, hasFailed: root.error !== undefined }];
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    const { call, nextCall, nextLog, hasFailed } = top;
    const log = call.logs[nextLog];
    if (log !== undefined && log.position <= nextCall) {
      top.nextLog += 1;
      log.index = hasFailed ? undefined : log.unrecordedBefore + index++;
      continue;
    }
    const child = call.calls[nextCall];
    if (child === undefined) {
      open.pop();
      continue;
    }
    top.nextCall += 1;
    open.push({ call: child, nextCall: 0, nextLog: 0, hasFailed: hasFailed || child.error !== undefined });
  }
}

function logObject({ address, topics, data, position, index = 0 }: TracedLog): object {
  return {
    address: toHex(address),
    topics: topics.map(toHex),
    data: toHex(data),
    index: `0x${index.toString(16)}`,
    position: `0x${position.toString(16)}`,
  };
}
