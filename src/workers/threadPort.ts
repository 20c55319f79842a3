/**
 * The one typed port between threads: requests, answers and one-way events over a MessagePort. Messages of one turn of
 * the event loop travel as one array. What crosses is bytes and plain objects; errors cross with their code and facts.
 */
import type { MessagePort, Worker } from 'node:worker_threads';
import { type ErrorFacts, type ErrorKind, NodeError } from '../common/errors.ts';

type Endpoint = MessagePort | Worker;

type Message =
  | { readonly t: 'request'; readonly id: number; readonly method: string; readonly args: readonly unknown[] }
  | { readonly t: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly t: 'failure'; readonly id: number; readonly error: CrossedError }
  | { readonly t: 'event'; readonly name: string; readonly value: unknown };

interface CrossedError {
  readonly kind: ErrorKind | undefined;
  readonly message: string;
  readonly facts: ErrorFacts | undefined;
  readonly stack: string | undefined;
}

/** What one side offers: methods that answer with a promise. */
export type Service<T> = {
  readonly [K in keyof T]: T[K] extends (...args: infer A) => infer R ? (...args: A) => R | Promise<Awaited<R>> : never;
};

/** What the other side sees of it. */
export type Remote<T> = {
  readonly [K in keyof T]: T[K] extends (...args: infer A) => infer R ? (...args: A) => Promise<Awaited<R>> : never;
};

function toCrossed(error: unknown): CrossedError {
  if (error instanceof NodeError) {
    const facts = error.facts as ErrorFacts; // instanceof forgets the type parameter
    return { kind: error.kind, message: error.message, facts, stack: error.stack };
  }
  if (error instanceof Error) return { kind: undefined, message: error.message, facts: undefined, stack: error.stack };
  return { kind: undefined, message: String(error), facts: undefined, stack: undefined };
}

function fromCrossed(crossed: CrossedError): Error {
  const error =
    crossed.kind !== undefined && crossed.facts !== undefined
      ? new NodeError(crossed.kind, crossed.message, crossed.facts)
      : new Error(crossed.message);
  if (crossed.stack !== undefined) error.stack = crossed.stack;
  return error;
}

/** One end. Either side may serve methods, call the other's, and send events. */
export class ThreadPort {
  readonly #endpoint: Endpoint;
  readonly #pending = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  readonly #listeners = new Map<string, (value: never) => void>();
  readonly #services = new Map<string, (...args: never[]) => unknown>();
  #nextId = 1;
  #outgoing: Message[] = [];
  #closed: Error | undefined;

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
    endpoint.on('message', (batch: readonly Message[]) => {
      for (const message of batch) this.#receive(message);
    });
    endpoint.on('messageerror', (error: unknown) =>
      this.fail(new Error('a message between threads could not be read', { cause: error })),
    );
  }

  /** Offers every function property of `service` under `<prefix>.<name>`. */
  serve<T extends object>(prefix: string, service: Service<T>): void {
    const methods = service as unknown as Record<string, (...args: never[]) => unknown>;
    for (const name of methodNames(service)) {
      const method = methods[name];
      if (method !== undefined) this.#services.set(`${prefix}.${name}`, method.bind(service));
    }
  }

  /** The other side's service of that prefix. Every property is a method that sends a request. */
  remote<T extends object>(prefix: string): Remote<T> {
    const methods = new Map<string, (...args: unknown[]) => Promise<unknown>>();
    return new Proxy({} as Remote<T>, {
      get: (_target, name) => {
        if (typeof name !== 'string' || name === 'then') return undefined;
        let method = methods.get(name);
        if (method === undefined) {
          method = (...args: unknown[]) => this.#request(`${prefix}.${name}`, args);
          methods.set(name, method);
        }
        return method;
      },
    });
  }

  emit(name: string, value: unknown): void {
    this.#send({ t: 'event', name, value });
  }

  /** An event that carries an error, with its code and facts; the other side listens with `onError`. */
  emitError(name: string, error: unknown): void {
    this.emit(name, toCrossed(error));
  }

  onError(name: string, listener: (error: Error) => void): void {
    this.on<CrossedError>(name, (crossed) => listener(fromCrossed(crossed)));
  }

  on<T>(name: string, listener: (value: T) => void): void {
    this.#listeners.set(name, listener);
  }

  /** Rejects everything that waits for an answer, now and later: the other thread is gone. */
  fail(error: Error): void {
    this.#closed = error;
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }

  /** For a MessagePort: lets the thread end. */
  unref(): void {
    this.#endpoint.unref();
  }

  #request(method: string, args: readonly unknown[]): Promise<unknown> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#send({ t: 'request', id, method, args });
    });
  }

  #send(message: Message): void {
    if (this.#closed !== undefined) return;
    this.#outgoing.push(message);
    if (this.#outgoing.length === 1) {
      queueMicrotask(() => {
        const batch = this.#outgoing;
        this.#outgoing = [];
        this.#endpoint.postMessage(batch, []);
      });
    }
  }

  #receive(message: Message): void {
    if (message.t === 'event') {
      this.#listeners.get(message.name)?.(message.value as never);
    } else if (message.t === 'request') {
      void this.#answer(message.id, message.method, message.args);
    } else {
      const waiting = this.#pending.get(message.id);
      this.#pending.delete(message.id);
      if (message.t === 'answer') waiting?.resolve(message.value);
      else waiting?.reject(fromCrossed(message.error));
    }
  }

  async #answer(id: number, method: string, args: readonly unknown[]): Promise<void> {
    try {
      const service = this.#services.get(method);
      if (service === undefined)
        throw new NodeError('invariant', `no thread serves ${method}`, { code: 'NO_SUCH_METHOD', method });
      this.#send({ t: 'answer', id, value: await service(...(args as never[])) });
    } catch (error) {
      this.#send({ t: 'failure', id, error: toCrossed(error) });
    }
  }
}

/** Own methods and those of the class. */
function methodNames(service: object): string[] {
  const names = new Set<string>();
  for (
    let level: object | null = service;
    level !== null && level !== Object.prototype;
    level = Object.getPrototypeOf(level) as object | null
  ) {
    for (const name of Object.getOwnPropertyNames(level)) {
      if (name !== 'constructor' && typeof (service as Record<string, unknown>)[name] === 'function') names.add(name);
    }
  }
  return [...names];
}
