/** creation: who made a contract, if the transaction did so (spec: rpc 13). However much the transaction does, the result is short. */
import { equalBytes, toHex } from '../../common/bytes.ts';
import type { Bytes } from '../../common/bytes.ts';
import type { TracedEnd, TracedFrame, TracedResult } from '../tracer.ts';
import type { TransactionTracer } from './transactionTracer.ts';

export interface CreationConfig {
  readonly contract: Bytes;
}

export class CreationTracer implements TransactionTracer {
  readonly #contract: Bytes;
  /** For each open call the creator, if the contract was made in it. */
  readonly #open: (Bytes | undefined)[] = [];
  #creator: Bytes | undefined;

  constructor({ config }: { readonly config: CreationConfig }) {
    this.#contract = config.contract;
  }

  enter({ kind, from, to }: TracedFrame): void {
    const isIt = (kind === 'CREATE' || kind === 'CREATE2') && equalBytes(to, this.#contract);
    this.#open.push(isIt ? from : undefined);
  }

  exit({ success }: TracedResult): void {
    const creator = this.#open.pop();
    if (!success || creator === undefined) return;
    if (this.#open.length === 0) this.#creator = creator;
    else this.#open[this.#open.length - 1] = creator;
  }

  log(): void {
    // Says nothing about it.
  }

  end({ success }: TracedEnd): void {
    if (!success) this.#creator = undefined;
  }

  missingCode(): readonly Bytes[] {
    return [];
  }

  /** The creator, or null. */
  *result(): Iterable<string> {
    yield this.#creator === undefined ? 'null' : JSON.stringify(toHex(this.#creator));
  }
}
