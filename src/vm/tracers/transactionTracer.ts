/** A tracer of one transaction whose result is JSON text (spec: rpc 12). */
import type { Bytes } from '../../common/bytes.ts';
import { NodeError } from '../../common/errors.ts';
import type { Tracer } from '../tracer.ts';

export interface TransactionTracer extends Tracer {
  /** What `result` needs and the run did not bring along: hashes of stored code. */
  missingCode(): readonly Bytes[];
  /** In short pieces that together are one JSON value; `storedCode` answers what `missingCode` asked for. */
  result(storedCode: (hash: Bytes) => Bytes): Iterable<string>;
}

/** The transaction as it was sent. */
export interface TracedTransaction {
  readonly from: Bytes;
  /** undefined: a creation. */
  readonly to: Bytes | undefined;
  /** wei */
  readonly value: bigint;
  readonly gasLimit: bigint;
  readonly input: Bytes;
  readonly coinbase: Bytes;
}

/** Bounds what a tracer keeps by the length of the text that it becomes. */
export class ResultSize {
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @throws NodeError TRACE_TOO_BIG */
  add(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes <= this.#maxBytes) return;
    throw new NodeError(
      'retryable',
      `the result of a trace is longer than ${this.#maxBytes} bytes: trace less of it, or raise rpc_max_response_size`,
      { code: 'TRACE_TOO_BIG', maxBytes: this.#maxBytes },
    );
  }
}
