/**
 * The log on Kafka (log-protocol 10): one topic with one partition. Every guard against what kafkajs and brokers do is here:
 * - one send outstanding, finite retries, and after any error a new producer object (its sequence numbers are reused otherwise);
 * - readers have a random group each and seek to the expected offset at every join, never right after `run`;
 * - delivered below expected: the log is checked, the entry ignored; above: history deleted, or one seek back;
 * - a watchdog compares the expected offset with the log's end while nothing arrives;
 * - a crash or a stray error of the client restarts the reader, not the process.
 */
import { randomBytes } from 'node:crypto';
import type { Admin, Consumer, EachBatchPayload, IHeaders, KafkaMessage, Producer as KafkaProducer } from 'kafkajs';
import { type Bytes, asBuffer, equalBytes, u32be } from '../common/bytes.ts';
import { NodeError, assert, errorText } from '../common/errors.ts';
import { checkDelivered } from './assertions.ts';
import { type EncodedEntry, entryHash } from './entryCodec.ts';
import {
  type CaughtUp,
  type EventLog,
  KeptProducer,
  type LogEntry,
  type Producer,
  Wakeup,
  checkEntrySize,
} from './eventLog.ts';
import { KAFKA_RETRY, type KafkaConnection, createKafka } from './kafkaClient.ts';
import { type LogLogger, SILENT_LOGGER } from './logLogger.ts';
import { type TopicSettings, requireTopic, verifyTopic } from './topic.ts';

export interface KafkaLogOptions {
  readonly connection: KafkaConnection;
  readonly topic: string;
  readonly settings: TopicSettings;
  /** The registry's id of a schema by its version; 0 without a registry. */
  readonly registryIds?: ReadonlyMap<number, number>;
  readonly logger?: LogLogger;
  /** For metrics and the status line: what needs an operator's look while the log goes on. */
  readonly onAlarm?: (alarm: LogAlarm) => void;
  readonly metrics?: KafkaMetrics;
  /** Between checks of the topic's settings; default 10 min. */
  readonly verifySettingsMs?: number;
  /** Between looks at the brokers, which are for metrics alone; default 10 s. */
  readonly lookAtBrokersMs?: number;
  /** For drills: every consumer that reads for `follow`, before it connects. */
  readonly onConsumer?: (consumer: Consumer) => void;
}

export interface KafkaMetrics {
  /** One fetch of the reader; a broker without news answers after `maxWaitTimeInMs`. */
  fetched(seconds: number): void;
  delivered(records: number, bytes: number): void;
  /** The reader has thrown its consumer away and takes another one. */
  restarted(): void;
  /** Every broker seen so far by its address, and whether the cluster has it now. */
  brokers(up: ReadonlyMap<string, boolean>): void;
}

/** What somebody has to look at while the node goes on. */
export const KAFKA_ALARMS = ['topic_settings', 'gap', 'stalled'] as const;
export type KafkaAlarm = (typeof KAFKA_ALARMS)[number];

/** `text` undefined: it is over. */
export interface LogAlarm {
  readonly code: KafkaAlarm;
  readonly text: string | undefined;
}

/** Most bytes of one produce request. */
const SEND_LIMIT_BYTES = 7 * 1024 * 1024;
/** Asked of the broker, for the replicas to have it. */
const SEND_TIMEOUT_MS = 5_000;
/** After so long nobody waits for a send any more; whoever leads gives up much earlier. */
const SEND_DEADLINE_MS = 20_000;
const WATCHDOG_MS = 1_000;
/** Ticks of the watchdog without progress: seek at the first, restart at each of these, then call it the end. */
const STALL_TICKS_TO_RESTART = 4;
const STALL_TICKS_TO_GIVE_UP = 12;
const CLOSE_TIMEOUT_MS = 5_000;
const RESTART_DELAY_MAX_MS = 5_000;
const VERIFY_SETTINGS_MS = 10 * 60 * 1_000;
const LOOK_AT_BROKERS_MS = 10_000;
/** Delivered by the client, not yet taken by whoever follows. */
const QUEUE_LIMIT_ENTRIES = 1_024;
const QUEUE_LIMIT_BYTES = 32 * 1024 * 1024;
/** For one look at one entry. */
const LOOK_TIMEOUT_MS = 15_000;
/** A broker that has just started loads its group coordinator for some seconds. */
const LOOK_RETRIES = 10;
/** How long an entry at or beyond the committed end is waited for: a foreign open transaction holds that end back. */
const BEYOND_END_MS = 2_000;

const CONSUMER = {
  sessionTimeout: 30_000,
  heartbeatInterval: 3_000,
  rebalanceTimeout: 10_000,
  maxWaitTimeInMs: 250,
  minBytes: 1,
  maxBytesPerPartition: 4 * 1024 * 1024,
  maxBytes: 8 * 1024 * 1024,
  readUncommitted: true,
  allowAutoTopicCreation: false,
} as const;

/** Checks the topic's settings first. Throws a NodeError: LOG_UNAVAILABLE, TOPIC_MISSING, TOPIC_SETTINGS. */
export async function openKafkaLog(options: KafkaLogOptions): Promise<KafkaEventLog> {
  await requireTopic({
    ...options.settings,
    connection: options.connection,
    topic: options.topic,
    ...(options.logger && { logger: options.logger }),
  });
  return new KafkaEventLog(options);
}

export class KafkaEventLog implements EventLog {
  readonly #options: KafkaLogOptions;
  readonly #logger: LogLogger;
  readonly #kept = new KeptProducer(() => this.openProducer());
  readonly #closed = new AbortController();
  readonly #readers = new Set<KafkaReader>();
  /** Clients on their way out. */
  readonly #closing = new Set<Promise<unknown>>();
  readonly #settingsTimer: NodeJS.Timeout;
  readonly #brokersTimer: NodeJS.Timeout | undefined;
  /** By address; false: it was there before. */
  readonly #brokers = new Map<string, boolean>();
  #isLookingAtBrokers = false;
  #admin: Promise<Admin> | undefined;

  constructor(options: KafkaLogOptions) {
    this.#options = options;
    this.#logger = options.logger ?? SILENT_LOGGER;
    this.#settingsTimer = setInterval(() => void this.#checkSettings(), options.verifySettingsMs ?? VERIFY_SETTINGS_MS);
    this.#settingsTimer.unref();
    const { metrics } = options;
    if (metrics === undefined) return;
    const everyMs = options.lookAtBrokersMs ?? LOOK_AT_BROKERS_MS;
    this.#brokersTimer = setInterval(() => void this.#lookAtBrokers(metrics), everyMs);
    this.#brokersTimer.unref();
    void this.#lookAtBrokers(metrics);
  }

  append(entries: readonly EncodedEntry[]): Promise<void> {
    return this.#kept.send(entries);
  }

  openProducer(): Producer {
    if (this.#closed.signal.aborted) return { send: () => Promise.reject(closedError()), close: async () => undefined };
    const { connection, topic, registryIds } = this.#options;
    const client = createKafka(connection, this.#logger).producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      retry: { ...KAFKA_RETRY },
    });
    const producer = new GuardedProducer(client, topic, registryIds ?? new Map(), this.#closed.signal);
    const done = producer.done;
    this.#closing.add(done);
    void done.finally(() => this.#closing.delete(done));
    return producer;
  }

  async *follow(from: number, signal: AbortSignal): AsyncGenerator<LogEntry | CaughtUp> {
    const stop = AbortSignal.any([signal, this.#closed.signal]);
    if (stop.aborted) return;
    const reader = new KafkaReader(this, this.#options, from, stop);
    this.#readers.add(reader);
    try {
      yield* reader.items();
    } finally {
      this.#readers.delete(reader);
      await reader.close();
    }
  }

  async end(): Promise<number> {
    return (await this.offsets()).end;
  }

  async start(): Promise<number> {
    return (await this.offsets()).start;
  }

  async entryAt(position: number): Promise<LogEntry | undefined> {
    this.#throwIfClosed();
    const { start, end } = await this.offsets();
    if (position < start) return undefined;
    return this.#look(position, position >= end);
  }

  /** First offset, and the one after the last that no open transaction holds back. Throws LOG_UNAVAILABLE. */
  async offsets(): Promise<{ start: number; end: number }> {
    this.#throwIfClosed();
    const { topic } = this.#options;
    try {
      const admin = await (this.#admin ??= this.#openAdmin());
      const [partition] = await admin.fetchTopicOffsets(topic);
      assert(partition !== undefined, `topic ${topic} has no partition`);
      return { start: Number(partition.low), end: Number(partition.high) };
    } catch (error) {
      this.#dropAdmin();
      throw this.#unavailable('asking for its offsets', error);
    }
  }

  /**
   * For the owner of the process's last resort: an error that nobody caught came from the Kafka client (it happens while
   * connecting to a frozen broker). True: it was, and the readers start anew.
   */
  handleStrayError(error: unknown): boolean {
    if (!(error instanceof Error) || !error.name.startsWith('KafkaJS')) return false;
    this.#logger.error({ err: errorText(error) }, 'stray error of the Kafka client: readers start anew');
    for (const reader of this.#readers) reader.restart('stray_error');
    return true;
  }

  async close(): Promise<void> {
    this.#closed.abort();
    clearInterval(this.#settingsTimer);
    clearInterval(this.#brokersTimer);
    await this.#kept.close();
    const admin = this.#admin;
    this.#admin = undefined;
    const gone = Promise.allSettled([
      ...[...this.#readers].map((reader) => reader.close()),
      ...this.#closing,
      admin?.then((client) => client.disconnect()),
    ]);
    // A client whose broker is away takes its retries' time to end; nothing of ours waits for it.
    await pause(CLOSE_TIMEOUT_MS, gone);
  }

  /** One entry, with a reader of its own. Undefined: beyond the end. */
  async #look(position: number, isBeyondEnd: boolean): Promise<LogEntry | undefined> {
    const consumer = createKafka(this.#options.connection, this.#logger).consumer({
      ...CONSUMER,
      groupId: randomGroup(this.#options.topic),
      retry: { ...KAFKA_RETRY, retries: LOOK_RETRIES, restartOnFailure: async () => false },
    });
    const { topic } = this.#options;
    try {
      return await new Promise<LogEntry | undefined>((resolve, reject) => {
        const timer = setTimeout(
          () =>
            isBeyondEnd
              ? resolve(undefined)
              : reject(new Error(`position ${position} was not delivered in ${LOOK_TIMEOUT_MS} ms`)),
          isBeyondEnd ? BEYOND_END_MS : LOOK_TIMEOUT_MS,
        );
        const settle = (entry: LogEntry | undefined): void => {
          clearTimeout(timer);
          resolve(entry);
        };
        consumer.on(consumer.events.GROUP_JOIN, () => consumer.seek({ topic, partition: 0, offset: String(position) }));
        consumer.on(consumer.events.CRASH, ({ payload }) => {
          clearTimeout(timer);
          reject(payload.error);
        });
        const run = async (): Promise<void> => {
          await consumer.connect();
          await consumer.subscribe({ topics: [topic], fromBeginning: true });
          await consumer.run({
            autoCommit: false,
            eachBatchAutoResolve: false,
            eachBatch: async (payload) => {
              const [message] = payload.batch.messages;
              if (message === undefined || payload.isStale()) return;
              // Anything else than what was asked for: the client was reset because the position does not exist.
              settle(Number(message.offset) === position ? toLogEntry(message) : undefined);
            },
          });
        };
        run().catch((error: unknown) => {
          clearTimeout(timer);
          reject(error instanceof Error ? error : new Error(String(error)));
        });
      });
    } catch (error) {
      throw this.#unavailable(`reading position ${position}`, error);
    } finally {
      const gone = consumer.disconnect().catch(() => undefined);
      this.#closing.add(gone);
      void gone.finally(() => this.#closing.delete(gone));
    }
  }

  async #openAdmin(): Promise<Admin> {
    const admin = createKafka(this.#options.connection, this.#logger).admin();
    await admin.connect();
    return admin;
  }

  #dropAdmin(): void {
    const admin = this.#admin;
    this.#admin = undefined;
    void admin?.then((client) => client.disconnect()).catch(() => undefined);
  }

  async #lookAtBrokers(metrics: KafkaMetrics): Promise<void> {
    if (this.#isLookingAtBrokers) return;
    this.#isLookingAtBrokers = true;
    try {
      const admin = await (this.#admin ??= this.#openAdmin());
      const { brokers } = await admin.describeCluster();
      for (const broker of this.#brokers.keys()) this.#brokers.set(broker, false);
      for (const { host, port } of brokers) this.#brokers.set(`${host}:${port}`, true);
    } catch {
      this.#dropAdmin();
      for (const broker of this.#brokers.keys()) this.#brokers.set(broker, false);
    } finally {
      this.#isLookingAtBrokers = false;
    }
    if (!this.#closed.signal.aborted) metrics.brokers(this.#brokers);
  }

  async #checkSettings(): Promise<void> {
    const { settings, connection, topic, onAlarm } = this.#options;
    try {
      const differences = await verifyTopic({ ...settings, connection, topic, logger: this.#logger });
      if (differences.length === 0) {
        onAlarm?.({ code: 'topic_settings', text: undefined });
        return;
      }
      this.#logger.error(
        { topic, differences },
        'the topic is weaker than configured: correct it now, what is acknowledged may get lost',
      );
      onAlarm?.({
        code: 'topic_settings',
        text: `the topic ${topic} is weaker than configured: ${differences.join(', ')}`,
      });
    } catch (error) {
      this.#logger.warn({ topic, err: errorText(error) }, 'the settings of the topic could not be checked');
    }
  }

  #unavailable(what: string, cause: unknown): NodeError {
    const { connection, topic } = this.#options;
    return new NodeError(
      'retryable',
      `Kafka at ${connection.brokers.join(', ')} did not answer while ${what} of ${topic}: ${errorText(cause)}`,
      { code: 'LOG_UNAVAILABLE', topic },
      { cause },
    );
  }

  #throwIfClosed(): void {
    if (this.#closed.signal.aborted) throw closedError();
  }
}

/** One producer object of kafkajs. */
class GuardedProducer implements Producer {
  readonly #client: KafkaProducer;
  readonly #topic: string;
  readonly #registryIds: ReadonlyMap<number, number>;
  readonly #connected: Promise<void>;
  /** What the client is still busy with. */
  #sending: Promise<void> | undefined;
  #isDead = false;
  #isClosing = false;
  /** Rejects the send that is waited for: the client may take its time to fail, and nobody waits for that. */
  #giveUp: (error: Error) => void = () => undefined;
  /** Resolves when the client is closed and its last send has ended. */
  readonly done: Promise<void>;
  #setDone: () => void = () => undefined;

  constructor(client: KafkaProducer, topic: string, registryIds: ReadonlyMap<number, number>, logClosed: AbortSignal) {
    this.#client = client;
    this.#topic = topic;
    this.#registryIds = registryIds;
    this.done = new Promise((resolve) => {
      this.#setDone = resolve;
    });
    this.#connected = client.connect();
    this.#connected.catch(() => undefined);
    const closeWithLog = (): void => void this.close();
    logClosed.addEventListener('abort', closeWithLog, { once: true });
    void this.done.then(() => logClosed.removeEventListener('abort', closeWithLog));
  }

  async send(entries: readonly EncodedEntry[]): Promise<void> {
    assert(!this.#isDead, 'a producer is used after its error or close (A7)');
    assert(this.#sending === undefined, 'two sends at a time on one producer (A8)');
    for (const entry of entries) checkEntrySize(entry);
    const sending = this.#send(entries);
    this.#sending = sending;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#giveUp = reject;
        const timer = setTimeout(() => reject(new Error(`no answer in ${SEND_DEADLINE_MS} ms`)), SEND_DEADLINE_MS);
        sending.then(resolve, reject).finally(() => clearTimeout(timer));
      });
    } catch (error) {
      this.#isDead = true;
      throw new NodeError(
        'retryable',
        `${entries.length} entries from ${entries[0]?.key} on may or may not be in ${this.#topic}: ${errorText(error)}`,
        { code: 'APPEND_UNKNOWN', topic: this.#topic },
        { cause: error },
      );
    }
    this.#sending = undefined;
  }

  async close(): Promise<void> {
    this.#isDead = true;
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#giveUp(new Error('the producer was closed before the broker answered'));
    // A retry inside the client connects again by itself, and so does a connect under way: close once more after both.
    const settled = Promise.allSettled([this.#connected, this.#sending]);
    const closing = this.#client.disconnect().catch(() => undefined);
    void Promise.all([settled, closing])
      .then(() => this.#client.disconnect())
      .catch(() => undefined)
      .finally(this.#setDone);
  }

  async #send(entries: readonly EncodedEntry[]): Promise<void> {
    await this.#connected;
    for (const run of runsOf(entries)) {
      if (this.#isDead) return;
      const messages = run.map(({ schema, key, bytes }) => ({
        key,
        value: withRegistryId(bytes, this.#registryIds.get(schema) ?? 0),
        partition: 0,
        headers: { schema: String(schema) },
      }));
      await this.#client.send({ topic: this.#topic, acks: -1, timeout: SEND_TIMEOUT_MS, messages });
    }
  }
}

/** Follows the topic with one consumer after another. */
class KafkaReader {
  readonly #log: KafkaEventLog;
  readonly #options: KafkaLogOptions;
  readonly #logger: LogLogger;
  readonly #stop: AbortSignal;
  readonly #queue: (LogEntry | CaughtUp)[] = [];
  #queuedBytes = 0;
  readonly #arrived = new Wakeup();
  readonly #room = new Wakeup();
  /** Offset of the next entry to deliver. */
  #expected: number;
  /** What was delivered last, to see whether the log is still the same. */
  #last: { readonly position: number; readonly hash: Bytes } | undefined;
  #announcedEnd: number | undefined;
  /** Seek back at most once for a gap that starts here. */
  #seekedBackAt: number | undefined;
  #consumer: Consumer | undefined;
  /** Counts consumers; what an earlier one still delivers is ignored. */
  #generation = 0;
  #isJoined = false;
  #isRestarting = false;
  /** The log has an end that is not delivered. */
  #isStalled = false;
  #failure: NodeError | undefined;
  #isChecking = false;
  #watched = { expected: -1, ticks: 0 };
  #watchdog: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;
  readonly #consumersClosing = new Set<Promise<void>>();

  constructor(log: KafkaEventLog, options: KafkaLogOptions, from: number, stop: AbortSignal) {
    this.#log = log;
    this.#options = options;
    this.#logger = options.logger ?? SILENT_LOGGER;
    this.#expected = from;
    this.#stop = stop;
  }

  async *items(): AsyncGenerator<LogEntry | CaughtUp> {
    this.#watchdog = setInterval(() => void this.#watch(), WATCHDOG_MS);
    void this.#startConsumer(0);
    while (!this.#stop.aborted) {
      const item = this.#queue.shift();
      if (item !== undefined) {
        if ('bytes' in item) this.#queuedBytes -= item.bytes.length;
        this.#room.wake();
        yield item;
      } else if (this.#failure !== undefined) {
        throw this.#failure;
      } else {
        await this.#arrived.wait(this.#stop);
      }
    }
  }

  /** Throws the consumer away and starts another, at the expected offset. */
  restart(reason: string): void {
    if (this.#isRestarting || this.#isDone) return;
    this.#isRestarting = true;
    this.#logger.warn({ reason, expected: this.#expected }, 'the reader of the log starts anew');
    this.#options.metrics?.restarted();
    this.#dropConsumer();
    void this.#startConsumer(1);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  get #isDone(): boolean {
    return this.#stop.aborted || this.#closing !== undefined || this.#failure !== undefined;
  }

  async #close(): Promise<void> {
    clearInterval(this.#watchdog);
    this.#dropConsumer();
    this.#room.wake();
    this.#arrived.wake();
    await Promise.all(this.#consumersClosing);
  }

  #fail(error: unknown): void {
    this.#failure ??=
      error instanceof NodeError
        ? error
        : new NodeError('fatal', `reading the log failed: ${errorText(error)}`, { code: 'LOG_READ' }, { cause: error });
    this.#dropConsumer();
    this.#arrived.wake();
  }

  #dropConsumer(): void {
    this.#generation += 1;
    this.#isJoined = false;
    const consumer = this.#consumer;
    this.#consumer = undefined;
    this.#room.wake();
    if (consumer === undefined) return;
    const gone = consumer.disconnect().catch(() => undefined);
    this.#consumersClosing.add(gone);
    void gone.finally(() => this.#consumersClosing.delete(gone));
  }

  /** Until one runs: a broker that is away comes back, and nobody else can read for us. */
  async #startConsumer(firstAttempt: number): Promise<void> {
    for (let attempt = firstAttempt; !this.#isDone; attempt++) {
      if (attempt > 0) await pause(Math.min(RESTART_DELAY_MAX_MS, 100 * 2 ** Math.min(attempt, 10)), this.#stop);
      if (this.#isDone) return;
      const generation = ++this.#generation;
      try {
        if (firstAttempt > 0) await this.#checkLast();
        await this.#runConsumer(generation);
        this.#isRestarting = false;
        return;
      } catch (error) {
        if (error instanceof NodeError && error.kind !== 'retryable') return this.#fail(error);
        this.#logger.warn({ attempt, err: errorText(error) }, 'the log cannot be read: trying again');
        this.#dropConsumer();
      }
    }
  }

  async #runConsumer(generation: number): Promise<void> {
    const { connection, topic } = this.#options;
    const consumer = createKafka(connection, this.#logger).consumer({
      ...CONSUMER,
      groupId: randomGroup(topic),
      retry: { ...KAFKA_RETRY, restartOnFailure: async () => false },
    });
    this.#consumer = consumer;
    this.#options.onConsumer?.(consumer);
    let joins = 0;
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      if (generation !== this.#generation) return;
      if (payload.memberAssignment[topic]?.includes(0) !== true)
        return this.restart('another consumer is in the group of this one');
      // A consumer that joins again has forgotten where it was.
      this.#isJoined = true;
      this.#seek();
      if (++joins > 1) void this.#check(generation);
      else void this.#watch();
    });
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      if (generation === this.#generation) this.restart(`crash: ${errorText(payload.error)}`);
    });
    consumer.on(consumer.events.FETCH, ({ payload }) => this.#options.metrics?.fetched(payload.duration / 1000));
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: (payload) => this.#handleBatch(payload, generation),
    });
  }

  /** Errors of the client go back to it, which joins again; ours must not be retried by it. */
  async #handleBatch(payload: EachBatchPayload, generation: number): Promise<void> {
    try {
      await this.#onBatch(payload, generation);
    } catch (error) {
      if (!(error instanceof NodeError)) throw error;
      if (generation !== this.#generation) return;
      if (error.kind === 'retryable') this.restart(error.message);
      else this.#fail(error);
    }
  }

  async #onBatch(payload: EachBatchPayload, generation: number): Promise<void> {
    const { batch } = payload;
    this.#options.metrics?.delivered(batch.messages.length, sizeOf(batch.messages));
    const isOld = (): boolean =>
      generation !== this.#generation || this.#isDone || !payload.isRunning() || payload.isStale();
    for (const message of batch.messages) {
      if (isOld()) return;
      const offset = Number(message.offset);
      if (offset < this.#expected) {
        // Redelivered, or the client was reset because the log is shorter than it was.
        if (await this.#check(generation)) this.#seek();
        return;
      }
      if (offset > this.#expected && !(await this.#acceptsGap(offset, generation))) return;
      await this.#whenRoom(message, payload, isOld);
      if (isOld()) return;
      if (offset < this.#expected) continue;
      checkDelivered(offset, this.#expected);
      this.#deliver(toLogEntry(message));
      payload.resolveOffset(message.offset);
    }
    await payload.heartbeat();
    if (!isOld() && this.#expected >= Number(batch.highWatermark)) this.#announceEnd();
  }

  /** Only once the group is joined: before, the client refuses or forgets it. It also refuses when it has just stopped. */
  #seek(): void {
    if (!this.#isJoined) return;
    try {
      this.#consumer?.seek({ topic: this.#options.topic, partition: 0, offset: String(this.#expected) });
    } catch (error) {
      this.restart(`the client cannot seek: ${errorText(error)}`);
    }
  }

  #deliver(entry: LogEntry): void {
    if (this.#isStalled) {
      this.#isStalled = false;
      this.#options.onAlarm?.({ code: 'stalled', text: undefined });
    }
    this.#expected = entry.position + 1;
    this.#last = { position: entry.position, hash: entryHash(entry.schema, entry.bytes) };
    this.#queue.push(entry);
    this.#queuedBytes += entry.bytes.length;
    this.#arrived.wake();
  }

  #announceEnd(end = this.#expected): void {
    if (this.#announcedEnd === end) return;
    this.#announcedEnd = end;
    this.#queue.push({ caughtUp: true, end });
    this.#arrived.wake();
  }

  async #whenRoom(message: KafkaMessage, payload: EachBatchPayload, isOld: () => boolean): Promise<void> {
    const sizeBytes = message.value?.length ?? 0;
    const isFull = (): boolean =>
      this.#queue.length >= QUEUE_LIMIT_ENTRIES ||
      (this.#queue.length > 0 && this.#queuedBytes + sizeBytes > QUEUE_LIMIT_BYTES);
    while (isFull() && !isOld()) {
      await this.#room.wait(this.#stop, CONSUMER.heartbeatInterval);
      await payload.heartbeat();
    }
  }

  /** An offset above the expected one was delivered. False: not to be taken now. */
  async #acceptsGap(offset: number, generation: number): Promise<boolean> {
    const { topic, onAlarm } = this.#options;
    const expected = this.#expected;
    const { start } = await this.#log.offsets();
    if (generation !== this.#generation) return false;
    if (start > expected) {
      this.#fail(historyDeleted(topic, { expected, start }));
      return false;
    }
    if (this.#seekedBackAt !== expected) {
      this.#seekedBackAt = expected;
      this.#logger.warn({ expected, delivered: offset }, 'the client skipped entries: back to the expected one');
      this.#seek();
      return false;
    }
    this.#logger.error(
      { expected, delivered: offset },
      'positions are missing from the log: a foreign transaction, or lost entries',
    );
    onAlarm?.({ code: 'gap', text: `positions ${expected} to ${offset - 1} are missing from ${topic}` });
    this.#expected = offset;
    return true;
  }

  /** The entry delivered last is still there. Otherwise the reader fails. False: stop delivering. */
  async #check(generation: number): Promise<boolean> {
    if (this.#isChecking) return true;
    this.#isChecking = true;
    try {
      await this.#checkLast();
      return generation === this.#generation;
    } catch (error) {
      if (generation !== this.#generation) return false;
      if (error instanceof NodeError && error.kind !== 'retryable') this.#fail(error);
      else this.restart(`the log could not be checked: ${errorText(error)}`);
      return false;
    } finally {
      this.#isChecking = false;
    }
  }

  async #checkLast(): Promise<void> {
    const last = this.#last;
    if (last === undefined) return;
    const entry = await this.#log.entryAt(last.position);
    if (entry !== undefined && equalBytes(entryHash(entry.schema, entry.bytes), last.hash)) return;
    const what = entry === undefined ? 'is gone' : 'is another one';
    throw new NodeError(
      'fatal',
      `log truncated or replaced: the entry at position ${last.position} of ${this.#options.topic} ${what}. Nothing was changed here; restore the topic`,
      {
        code: 'LOG_REPLACED',
        position: last.position,
      },
    );
  }

  /** While nothing arrives: is there really nothing? */
  async #watch(): Promise<void> {
    if (this.#isDone || !this.#isJoined || this.#isRestarting) return;
    const generation = this.#generation;
    const expected = this.#expected;
    const hasMoved = this.#watched.expected !== expected;
    if (hasMoved) this.#watched = { expected, ticks: 0 };
    // Announced and quiet, or waiting for room: a look at the end of the log costs a request, so not when entries flow.
    if (hasMoved && this.#announcedEnd === expected) return;
    let offsets: Awaited<ReturnType<KafkaEventLog['offsets']>>;
    try {
      offsets = await this.#log.offsets();
    } catch {
      return;
    }
    if (generation !== this.#generation || this.#isDone || this.#expected !== expected) return;
    const { start, end } = offsets;
    // Nothing is delivered from a topic that was emptied: it must not be taken for one that was always empty.
    if (start > expected) this.#fail(historyDeleted(this.#options.topic, { expected, start }));
    else if (end === expected) this.#announceEnd();
    else if (end < expected) await this.#check(generation);
    else if (this.#queue.length === 0) this.#onStall(end);
  }

  #onStall(end: number): void {
    const { topic, onAlarm } = this.#options;
    const ticks = ++this.#watched.ticks;
    if (ticks === 1) return;
    if (ticks === 2) {
      this.#seek();
    } else if (ticks >= STALL_TICKS_TO_GIVE_UP) {
      // Nothing but a foreign transaction's marker is there. Saying that the end is reached is safe: it is a hint.
      if (this.#announcedEnd !== end) {
        this.#logger.error({ expected: this.#expected, end }, 'the log has an end that is not delivered');
        this.#isStalled = true;
        onAlarm?.({
          code: 'stalled',
          text: `${topic} ends at ${end}, and nothing is delivered from ${this.#expected} on`,
        });
      }
      this.#announceEnd(end);
    } else if (ticks % STALL_TICKS_TO_RESTART === 0) {
      this.restart(`nothing was delivered from ${this.#expected} on, the log ends at ${end}`);
    }
  }
}

function sizeOf(messages: readonly KafkaMessage[]): number {
  return messages.reduce((bytes, { key, value }) => bytes + (key?.length ?? 0) + (value?.length ?? 0), 0);
}

function toLogEntry({ offset, key, value, headers }: KafkaMessage): LogEntry {
  return {
    position: Number(offset),
    schema: schemaOf(headers),
    key: key?.toString() ?? '',
    // A copy: the client's buffers hold a whole response.
    bytes: value === null ? new Uint8Array(0) : new Uint8Array(value),
  };
}

/** ASCII decimal; anything else names no schema. */
function schemaOf(headers: IHeaders | undefined): number {
  const header = headers?.['schema'];
  const text = Buffer.isBuffer(header) ? header.toString('latin1') : header;
  return typeof text === 'string' && /^[1-9][0-9]{0,8}$/.test(text) ? Number(text) : 0;
}

function withRegistryId(bytes: Bytes, id: number): Buffer {
  if (id === 0) return asBuffer(bytes);
  const value = Buffer.from(bytes);
  value.set(u32be(id), 1);
  return value;
}

/** As many entries as fit one request, at least one. */
function* runsOf(entries: readonly EncodedEntry[]): Generator<EncodedEntry[]> {
  let run: EncodedEntry[] = [];
  let sizeBytes = 0;
  for (const entry of entries) {
    if (run.length > 0 && sizeBytes + entry.bytes.length > SEND_LIMIT_BYTES) {
      yield run;
      run = [];
      sizeBytes = 0;
    }
    run.push(entry);
    sizeBytes += entry.bytes.length;
  }
  if (run.length > 0) yield run;
}

function randomGroup(topic: string): string {
  return `${topic}.reader.${randomBytes(12).toString('hex')}`;
}

/** Ends early at the abort, or when the promise settles. */
async function pause(ms: number, until: AbortSignal | Promise<unknown>): Promise<void> {
  if (until instanceof AbortSignal) return new Wakeup().wait(until, ms);
  const settled = new AbortController();
  void until.finally(() => settled.abort());
  await new Wakeup().wait(settled.signal, ms);
}

function historyDeleted(topic: string, offsets: { readonly expected: number; readonly start: number }): NodeError {
  const { expected, start } = offsets;
  return new NodeError(
    'fatal',
    `${topic} begins at position ${start}, ${expected} was expected: history was deleted. Restore the topic (retention must be -1)`,
    { code: 'LOG_REPLACED', expected, start },
  );
}

function closedError(): NodeError {
  return new NodeError('retryable', 'the log is closed', { code: 'LOG_CLOSED' });
}
