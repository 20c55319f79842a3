/**
 * A TCP proxy before a Kafka broker that misbehaves on demand. It knows Kafka's frames, so that it can take the answer of a
 * produce request away while the request went through.
 */
import { once } from 'node:events';
import { type Server, type Socket, connect, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { ProxiedListener } from './kafka.ts';

/** Client to broker, broker to client. */
export type Direction = 'request' | 'answer';

/**
 * What becomes of one produce request: `pass`; `cut_before`, the connection is cut and the broker sees nothing of it;
 * `cut_inside`, the broker sees a part of it; `cut_after`, the broker has it, the answer is lost with the connection;
 * `half_closed`, as `cut_after`, but the client sees an orderly end; `silent`, the answer is lost and the connection stays;
 * `late`, the answer comes after `lateMs`.
 */
export type ProduceFate = 'pass' | 'cut_before' | 'cut_inside' | 'cut_after' | 'half_closed' | 'silent' | 'late';

const PRODUCE_KEY = 0;

interface Connection {
  readonly client: Socket;
  readonly broker: Socket;
  /** Of produce requests whose answer is on its way, by correlation id. */
  readonly fates: Map<number, ProduceFate>;
  readonly stopped: Set<Direction>;
}

export class FaultProxy {
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  readonly #delaysMs: Record<Direction, number> = { request: 0, answer: 0 };
  readonly #dropped = new Set<Direction>();
  #isRefusing = false;
  /** Asked for each produce request. */
  fateOf: () => ProduceFate = () => 'pass';
  lateMs = 3_000;
  /** Produce requests by what became of them. */
  readonly counted: Record<ProduceFate, number> = {
    pass: 0,
    cut_before: 0,
    cut_inside: 0,
    cut_after: 0,
    half_closed: 0,
    silent: 0,
    late: 0,
  };

  static async listen(listener: ProxiedListener): Promise<FaultProxy> {
    const proxy = new FaultProxy(listener.brokerPort);
    proxy.#server.listen(listener.advertisedPort, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  private constructor(brokerPort: number) {
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => this.#accept(client, brokerPort));
  }

  /** Open connections. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Every frame in this direction comes so much later. */
  delay(direction: Direction, ms: number): void {
    this.#delaysMs[direction] = ms;
  }

  /** Nothing in this direction arrives, on connections that stay open. */
  drop(direction: Direction): void {
    this.#dropped.add(direction);
  }

  /** New connections are closed at once. */
  refuse(): void {
    this.#isRefusing = true;
  }

  /** Ends all present connections with a reset. */
  cut(): void {
    for (const connection of [...this.#connections]) this.#destroy(connection);
  }

  /** Ends this direction of all present connections in order; the other one goes on. */
  halfClose(direction: Direction): void {
    for (const connection of this.#connections) {
      connection.stopped.add(direction);
      (direction === 'request' ? connection.broker : connection.client).end();
    }
  }

  /** No more faults for what comes. */
  heal(): void {
    this.#isRefusing = false;
    this.#dropped.clear();
    this.#delaysMs.request = 0;
    this.#delaysMs.answer = 0;
    this.fateOf = () => 'pass';
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.cut();
    await closed;
  }

  #accept(client: Socket, brokerPort: number): void {
    client.on('error', () => undefined);
    if (this.#isRefusing) {
      client.destroy();
      return;
    }
    const broker = connect({ port: brokerPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    const connection: Connection = { client, broker, fates: new Map(), stopped: new Set() };
    this.#connections.add(connection);
    broker.on('error', () => this.#destroy(connection));
    for (const socket of [client, broker]) socket.on('close', () => this.#destroy(connection));
    void this.#pump(connection, 'request');
    void this.#pump(connection, 'answer');
  }

  #destroy(connection: Connection): void {
    if (!this.#connections.delete(connection)) return;
    const { client, broker } = connection;
    // A reset after an end on its way leaves the handle open for ever.
    if (client.writableEnded) client.destroy();
    else client.resetAndDestroy();
    broker.destroy();
  }

  async #pump(connection: Connection, direction: Direction): Promise<void> {
    const [from, to] =
      direction === 'request' ? [connection.client, connection.broker] : [connection.broker, connection.client];
    let rest = Buffer.alloc(0);
    try {
      for await (const chunk of from) {
        rest = Buffer.concat([rest, chunk as Buffer]); // sockets without an encoding give buffers
        while (rest.length >= 8 && rest.length >= 4 + rest.readUInt32BE(0)) {
          const end = 4 + rest.readUInt32BE(0);
          const frame = rest.subarray(0, end);
          rest = rest.subarray(end);
          await this.#forward(connection, direction, frame, to);
        }
      }
      if (!connection.stopped.has(direction)) to.end();
    } catch {
      this.#destroy(connection);
    }
  }

  async #forward(connection: Connection, direction: Direction, frame: Buffer, to: Socket): Promise<void> {
    const delayMs = this.#delaysMs[direction];
    if (delayMs > 0) await delay(delayMs);
    if (direction === 'request' && frame.readUInt16BE(4) === PRODUCE_KEY) {
      const fate = this.fateOf();
      this.counted[fate] += 1;
      if (fate === 'cut_before') return this.#destroy(connection);
      if (fate === 'cut_inside') {
        to.write(frame.subarray(0, Math.floor(frame.length / 2)), () => this.#destroy(connection));
        return;
      }
      if (fate !== 'pass') connection.fates.set(frame.readUInt32BE(8), fate);
    } else if (direction === 'answer') {
      const correlationId = frame.readUInt32BE(4);
      const fate = connection.fates.get(correlationId);
      connection.fates.delete(correlationId);
      if (fate === 'cut_after') return this.#destroy(connection);
      if (fate === 'silent') return;
      if (fate === 'late') await delay(this.lateMs);
      if (fate === 'half_closed') {
        connection.stopped.add('answer');
        to.end();
        return;
      }
    }
    if (this.#dropped.has(direction) || connection.stopped.has(direction) || !this.#connections.has(connection)) return;
    if (!to.write(frame)) await Promise.race([once(to, 'drain'), once(to, 'close')]);
  }
}
