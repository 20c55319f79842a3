/**
 * callList: calls, creations and selfdestructs of a transaction in the order in which they begin (spec: rpc 13); none of one
 * that could not pay for its first call.
 */
import { EMPTY_BYTES, toHex } from '../../common/bytes.ts';
import type { Bytes } from '../../common/bytes.ts';
import type { TracedEnd, TracedFrame, TracedKind, TracedResult } from '../tracer.ts';
import type { ResultSize, TransactionTracer } from './transactionTracer.ts';

export interface CallListConfig {
  /** `operations`: only what moved base token or made contracts below the top call, and was not taken back. */
  readonly shape: 'calls' | 'operations';
}

interface ListedCall {
  readonly kind: TracedKind;
  /** 0: the transaction itself. */
  readonly depth: number;
  readonly parent: ListedCall | undefined;
  readonly from: Bytes;
  readonly to: Bytes;
  /** wei */
  readonly value: bigint;
  readonly input: Bytes;
  output: Bytes;
  /** Taken back, by itself or by a call that it is part of. */
  isLost: boolean;
}

/** Text of an entry without input and output, bytes. */
const ENTRY_TEXT_BYTES = 250;

const TRANSFER = 0;
const OPERATION_BY_KIND: Partial<Record<TracedKind, number>> = {
  CALL: TRANSFER,
  SELFDESTRUCT: 1,
  CREATE: 2,
  CREATE2: 3,
};

export class CallListTracer implements TransactionTracer {
  readonly #hasData: boolean;
  readonly #size: ResultSize;
  readonly #calls: ListedCall[] = [];
  readonly #open: ListedCall[] = [];

  constructor({ config, size }: { readonly config: CallListConfig; readonly size: ResultSize }) {
    this.#hasData = config.shape === 'calls';
    this.#size = size;
  }

  enter({ kind, from, to, value, input }: TracedFrame): void {
    this.#size.add(ENTRY_TEXT_BYTES + (this.#hasData ? 2 * input.length : 0));
    const call: ListedCall = {
      kind,
      depth: this.#open.length,
      parent: this.#open.at(-1),
      from,
      to,
      value,
      input: this.#hasData ? input.slice() : EMPTY_BYTES,
      output: EMPTY_BYTES,
      isLost: false,
    };
    this.#calls.push(call);
    this.#open.push(call);
  }

  exit({ success, output }: TracedResult): void {
    const call = this.#open.pop();
    if (call === undefined) return;
    call.isLost = !success;
    if (!this.#hasData) return;
    this.#size.add(2 * output.length);
    call.output = output.slice();
  }

  log(): void {
    // Logs are in the receipt.
  }

  end({ success }: TracedEnd): void {
    const [top] = this.#calls;
    if (top !== undefined && !success) top.isLost = true;
  }

  missingCode(): readonly Bytes[] {
    return [];
  }

  *result(): Iterable<string> {
    yield '[';
    let separator = '';
    for (const entry of this.#hasData ? this.#entries() : this.#operations()) {
      yield `${separator}${JSON.stringify(entry)}`;
      separator = ',';
    }
    yield ']';
  }

  *#entries(): Iterable<object> {
    for (const { kind, depth, from, to, value, input, output } of this.#calls) {
      // Neither moves value, though the second one knows that of the call it is part of.
      const movesNone = kind === 'STATICCALL' || kind === 'DELEGATECALL';
      yield {
        type: kind,
        depth,
        from: toHex(from),
        to: toHex(to),
        value: movesNone ? null : quantity(value),
        input: toHex(input),
        output: toHex(output),
      };
    }
  }

  *#operations(): Iterable<object> {
    for (const call of this.#calls) {
      const { kind, parent, from, to, value } = call;
      // Whoever it is part of began before it, so that is settled already.
      call.isLost ||= parent?.isLost === true;
      const type = OPERATION_BY_KIND[kind];
      if (parent === undefined || type === undefined || call.isLost) continue;
      if (type === TRANSFER && value === 0n) continue;
      yield { type, from: toHex(from), to: toHex(to), value: quantity(value) };
    }
  }
}

function quantity(value: bigint): string {
  return `0x${value.toString(16)}`;
}
