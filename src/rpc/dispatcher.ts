/** JSON-RPC 2.0 envelopes: one request or a batch in, the text of the answer out (spec: rpc 1, 2.1). Knows no transport. */
import { isUtf8 } from 'node:buffer';
import { RPC_CODE, RpcError, asRpcError, invalidParams, methodNotFound, responseTooBig, serverBusy } from './errors.ts';
import type { MethodHandler } from './method.ts';
import type { LogMetrics } from './logQuery.ts';
import { RawJson } from './rawJson.ts';
import type { RequestScanner, ScanFailure, ScanLimits } from './requestScanner.ts';
import type { SubscriptionCalls, SubscriptionKind } from './subscriptions.ts';
import type { JsonObject } from './validation.ts';

/** What the node counts; observability C.5. */
export interface RpcMetrics extends LogMetrics {
  /** After each call. `method` is a known name or `unknown`; `code` is 0 for a result. */
  call(facts: {
    readonly method: string;
    readonly code: number;
    readonly seconds: number;
    /** The call as it was written. */
    readonly requestBytes: number;
    readonly responseBytes: number;
  }): void;
  batch(facts: {
    readonly entries: number;
    /** Calls by method, named as in `call`. */
    readonly methods: ReadonlyMap<string, number>;
    readonly seconds: number;
  }): void;
  /** Calls that run now. */
  inFlight(calls: number): void;
  rejected(reason: 'size' | 'busy' | 'connections'): void;
  /** Open ones. */
  webSockets(open: number): void;
  subscriptions(kind: SubscriptionKind, open: number): void;
  /** A client was too slow and was disconnected. */
  subscriptionLagged(): void;
  filters(installed: number): void;
  filterExpired(): void;
}

export interface DispatcherOptions {
  readonly methods: ReadonlyMap<string, MethodHandler>;
  readonly scanLimits: ScanLimits;
  readonly maxResponseBytes: number;
  /** Calls at the same time, over all connections; more are answered -32009. */
  readonly maxInFlight: number;
  /** Calls of one batch at the same time. */
  readonly batchConcurrency: number;
  readonly metrics: RpcMetrics;
  /** A failure that is not the client's: it reads `Internal error`. */
  readonly onInternalError: (error: unknown, method: string) => void;
}

export interface Dispatcher {
  /**
   * `scanner` has seen the whole body. An empty text: nothing is to be answered. Never rejects.
   * @param connection of a WebSocket
   */
  handle(body: Buffer, scanner: RequestScanner, connection?: SubscriptionCalls): Promise<string>;
}

const NULL_ID = 'null';
const UNKNOWN_METHOD = 'unknown';

interface Call {
  /** JSON text; undefined: a notification. */
  readonly id: string | undefined;
  readonly method: string;
  readonly params: readonly unknown[];
  readonly sizeBytes: number;
}

type Entry =
  | { readonly kind: 'call'; readonly call: Call }
  | { readonly kind: 'invalid'; readonly id: string; readonly error: RpcError };

export function errorReply(id: string, error: RpcError): string {
  const { rpcCode: code, message, data } = error;
  return `{"jsonrpc":"2.0","id":${id},"error":${JSON.stringify({ code, message, data })}}`;
}

export function requestTooBig(limitBytes: number): RpcError {
  return new RpcError(RPC_CODE.requestTooBig, 'Request is too big', { data: `Exceeded max limit of ${limitBytes}` });
}

function parseError(data?: string): RpcError {
  return new RpcError(RPC_CODE.parseError, 'Parse error', { data });
}

function invalidRequest(): RpcError {
  return new RpcError(RPC_CODE.invalidRequest, 'Invalid request');
}

/** The answer to a body whose reading was given up. */
export function scanError(failure: ScanFailure, limits: ScanLimits): RpcError {
  switch (failure) {
    case 'depth':
      return parseError(`nested deeper than ${limits.maxDepth} levels`);
    case 'values':
      return requestTooBig(limits.maxValues);
    case 'batch':
      return new RpcError(RPC_CODE.batchTooBig, 'The batch request was too large', {
        data: `Exceeded max limit of ${limits.maxBatchEntries}`,
      });
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The id as it was written. undefined: absent. Null for one of a type that no id has. */
function idText(request: JsonObject, written: string | undefined): string | undefined {
  if (!Object.hasOwn(request, 'id')) return undefined;
  const { id } = request;
  if (id !== null && typeof id !== 'string' && typeof id !== 'number') return NULL_ID;
  return written ?? JSON.stringify(id);
}

function readEntry(request: unknown, writtenId: string | undefined, sizeBytes: number): Entry {
  if (!isObject(request)) return { kind: 'invalid', id: NULL_ID, error: invalidRequest() };
  const { jsonrpc, method, params, id: rawId } = request;
  const id = idText(request, writtenId);
  const hasBadId = id === NULL_ID && rawId !== null;
  if (jsonrpc !== '2.0' || typeof method !== 'string' || hasBadId) {
    return { kind: 'invalid', id: id ?? NULL_ID, error: invalidRequest() };
  }
  if (params === undefined || params === null) return { kind: 'call', call: { id, method, params: [], sizeBytes } };
  if (Array.isArray(params)) return { kind: 'call', call: { id, method, params, sizeBytes } };
  // Positional arguments only; a notification gets no answer, not even this one.
  if (id !== undefined) return { kind: 'invalid', id, error: invalidParams('params must be an array') };
  return { kind: 'call', call: { id, method: UNKNOWN_METHOD, params: [], sizeBytes } };
}

export function createDispatcher(options: DispatcherOptions): Dispatcher {
  const { methods, maxResponseBytes, metrics } = options;
  let inFlight = 0;

  function knownName({ method }: Call): string {
    return methods.has(method) ? method : UNKNOWN_METHOD;
  }

  function countMethods(entries: readonly Entry[]): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const entry of entries) {
      if (entry.kind !== 'call') continue;
      const name = knownName(entry.call);
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    return counts;
  }

  async function resultText(call: Call, connection: SubscriptionCalls | undefined): Promise<string> {
    const handler = methods.get(call.method);
    if (handler === undefined) throw methodNotFound(call.method);
    const result = await handler(call.params, connection);
    const text = result instanceof RawJson ? result.text : JSON.stringify(result ?? null);
    if (text.length > maxResponseBytes) throw responseTooBig(maxResponseBytes);
    return text;
  }

  function toRpcError(error: unknown, method: string): RpcError {
    const known = asRpcError(error);
    if (known !== undefined) return known;
    options.onInternalError(error, method);
    return new RpcError(RPC_CODE.internal, 'Internal error', { cause: error });
  }

  async function run(call: Call, connection: SubscriptionCalls | undefined): Promise<string> {
    const started = performance.now();
    let code = 0;
    let reply: string;
    inFlight += 1;
    metrics.inFlight(inFlight);
    try {
      if (inFlight > options.maxInFlight) {
        metrics.rejected('busy');
        throw serverBusy();
      }
      reply = `{"jsonrpc":"2.0","id":${call.id ?? NULL_ID},"result":${await resultText(call, connection)}}`;
    } catch (error) {
      const shown = toRpcError(error, call.method);
      code = shown.rpcCode;
      reply = errorReply(call.id ?? NULL_ID, shown);
    } finally {
      inFlight -= 1;
      metrics.inFlight(inFlight);
    }
    metrics.call({
      method: knownName(call),
      code,
      seconds: (performance.now() - started) / 1_000,
      requestBytes: call.sizeBytes,
      responseBytes: reply.length,
    });
    return call.id === undefined ? '' : reply;
  }

  async function runEntry(entry: Entry, connection: SubscriptionCalls | undefined): Promise<string> {
    return entry.kind === 'call' ? run(entry.call, connection) : errorReply(entry.id, entry.error);
  }

  async function runBatch(entries: readonly Entry[], connection: SubscriptionCalls | undefined): Promise<string> {
    const replies = new Array<string>(entries.length).fill('');
    let next = 0;
    let totalLength = 2;
    const isTooLong = () => totalLength > maxResponseBytes;
    async function worker(): Promise<void> {
      for (let index = next++; index < entries.length && !isTooLong(); index = next++) {
        const entry = entries[index];
        if (entry === undefined) return;
        const reply = await runEntry(entry, connection);
        totalLength += reply.length + 1;
        replies[index] = reply;
      }
    }
    // Started in array order; the replies keep it too.
    await Promise.all(Array.from({ length: Math.min(options.batchConcurrency, entries.length) }, worker));
    if (isTooLong()) {
      return errorReply(
        NULL_ID,
        new RpcError(RPC_CODE.batchResponseTooBig, 'The batch response was too large', {
          data: `Exceeded max limit of ${maxResponseBytes}`,
        }),
      );
    }
    const answers = replies.filter((reply) => reply !== '');
    return answers.length === 0 ? '' : `[${answers.join(',')}]`;
  }

  return {
    async handle(body, scanner, connection) {
      if (scanner.failure !== undefined) return errorReply(NULL_ID, scanError(scanner.failure, options.scanLimits));
      if (!isUtf8(body)) return errorReply(NULL_ID, parseError());
      let parsed: unknown;
      try {
        parsed = JSON.parse(body.toString('utf8'));
      } catch {
        return errorReply(NULL_ID, parseError());
      }
      const entryAt = (request: unknown, index: number): Entry =>
        readEntry(request, scanner.idText(body, index), scanner.entryBytes(index) ?? 0);
      if (!Array.isArray(parsed)) return runEntry(entryAt(parsed, 0), connection);
      if (parsed.length === 0) return errorReply(NULL_ID, invalidRequest());
      const started = performance.now();
      const entries = parsed.map(entryAt);
      const text = await runBatch(entries, connection);
      metrics.batch({
        entries: entries.length,
        methods: countMethods(entries),
        seconds: (performance.now() - started) / 1_000,
      });
      return text;
    },
  };
}
