/** The tracers there are, by what a request asks for. */
import type { Bytes } from '../../common/bytes.ts';
import { CallListTracer } from './callListTracer.ts';
import type { CallListConfig } from './callListTracer.ts';
import { CallTracer } from './callTracer.ts';
import type { CallTracerConfig } from './callTracer.ts';
import { CreationTracer } from './creationTracer.ts';
import type { CreationConfig } from './creationTracer.ts';
import { PrestateTracer } from './prestateTracer.ts';
import type { PrestateTracerConfig } from './prestateTracer.ts';
import { StructLogTracer } from './structLogTracer.ts';
import type { StructLogConfig } from './structLogTracer.ts';
import { ResultSize } from './transactionTracer.ts';
import type { TracedTransaction, TransactionTracer } from './transactionTracer.ts';

export type TracerSpec =
  | { readonly name: 'callTracer'; readonly config: CallTracerConfig }
  | { readonly name: 'callList'; readonly config: CallListConfig }
  | { readonly name: 'creation'; readonly config: CreationConfig }
  | { readonly name: 'prestateTracer'; readonly config: PrestateTracerConfig }
  | { readonly name: 'structLogs'; readonly config: StructLogConfig };

export interface TracerOptions {
  readonly transaction: TracedTransaction;
  /** Logs of the block before the transaction. */
  readonly firstLogIndex: number;
  /** Longest result. */
  readonly maxBytes: number;
  readonly revertReason: (output: Bytes) => string | undefined;
}

export function createTracer(spec: TracerSpec, options: TracerOptions): TransactionTracer {
  const { maxBytes, ...rest } = options;
  const size = new ResultSize(maxBytes);
  switch (spec.name) {
    case 'callTracer':
      return new CallTracer({ ...rest, size, config: spec.config });
    case 'callList':
      return new CallListTracer({ size, config: spec.config });
    case 'creation':
      return new CreationTracer({ config: spec.config });
    case 'prestateTracer':
      return new PrestateTracer({ ...rest, size, config: spec.config });
    case 'structLogs':
      return new StructLogTracer({ size, config: spec.config });
  }
}
