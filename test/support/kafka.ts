/**
 * A real Kafka broker and schema registry for tests: `KAFKA_BROKERS` if set, else containers if an engine answers, else a
 * broker from Apache Kafka's own jars, fetched with Maven once and kept in the user's cache folder.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { GenericContainer, type StartedTestContainer, Wait, getContainerRuntimeClient } from 'testcontainers';

export interface TestKafka {
  readonly brokers: readonly string[];
  /** Starts a registry with the first call. Undefined: there is none beside brokers given from outside. */
  registryUrl(): Promise<string | undefined>;
  stop(): Promise<void>;
  /** Like a power cut of the process; `restart` brings it back with its data. Not for brokers given from outside. */
  kill(): Promise<void>;
  restart(): Promise<void>;
  /** Frozen, connections stay open. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** A second way in, for a proxy. Undefined: brokers given from outside have none. */
  readonly proxied: ProxiedListener | undefined;
}

/** The broker tells whoever comes in here to stay on `advertisedPort`, where a proxy has to listen. */
export interface ProxiedListener {
  readonly advertisedPort: number;
  readonly brokerPort: number;
}

/** Neither brokers, nor a container engine, nor Java with Maven. */
export class KafkaUnavailable extends Error {}

export const KAFKA_VERSION = '4.3.1';
export const REGISTRY_VERSION = '2.6.13.Final';
export const REGISTRY_PATH = '/apis/ccompat/v7';
const MAX_MESSAGE_BYTES = 8 * 1024 * 1024;
const START_TIMEOUT_MS = 180_000;
const run = promisify(execFile);

/** Throws KafkaUnavailable. */
export async function startKafka(): Promise<TestKafka> {
  const brokers = process.env['KAFKA_BROKERS'];
  if (brokers !== undefined && brokers !== '') return givenKafka(brokers.split(','));
  if (await hasContainerEngine()) return startContainers();
  if (await hasJavaAndMaven()) return startJars();
  throw new KafkaUnavailable(
    'no Kafka for this test: set KAFKA_BROKERS, start a container engine, or install Java 17 and Maven',
  );
}

function givenKafka(brokers: readonly string[]): TestKafka {
  const refuse = async (): Promise<never> => {
    throw new KafkaUnavailable('brokers given by KAFKA_BROKERS are not stopped or restarted by a test');
  };
  return {
    brokers,
    registryUrl: async () => process.env['SCHEMA_REGISTRY_URL'],
    stop: async () => undefined,
    kill: refuse,
    restart: refuse,
    pause: refuse,
    resume: refuse,
    proxied: undefined,
  };
}

// Containers

async function hasContainerEngine(): Promise<boolean> {
  try {
    await getContainerRuntimeClient();
    return true;
  } catch {
    return false;
  }
}

async function startContainers(): Promise<TestKafka> {
  const [port, brokerPort, advertisedPort] = await freePorts(3);
  if (port === undefined || brokerPort === undefined || advertisedPort === undefined)
    throw new KafkaUnavailable('no free port');
  const proxied = { brokerPort, advertisedPort };
  const environment = Object.fromEntries(
    Object.entries(
      brokerProperties({ port, controllerPort: 9093, host: '0.0.0.0', advertisedHost: 'localhost', proxied }),
    ).map(([name, value]) => [`KAFKA_${name.toUpperCase().replaceAll('.', '_')}`, value]),
  );
  const container = await new GenericContainer(`apache/kafka:${KAFKA_VERSION}`)
    .withEnvironment({ ...environment, KAFKA_HEAP_OPTS: '-Xms256m -Xmx256m' })
    .withExposedPorts({ container: port, host: port }, { container: brokerPort, host: brokerPort })
    .withWaitStrategy(Wait.forLogMessage(/Kafka Server started/))
    .withStartupTimeout(START_TIMEOUT_MS)
    .start();
  const broker = (await getContainerRuntimeClient()).container.getById(container.getId());
  let registry: StartedTestContainer | undefined;
  const startRegistry = async (): Promise<string> => {
    registry ??= await new GenericContainer(`apicurio/apicurio-registry-mem:${REGISTRY_VERSION}`)
      .withExposedPorts(8080)
      .withWaitStrategy(Wait.forHttp(`${REGISTRY_PATH}/subjects`, 8080))
      .withStartupTimeout(START_TIMEOUT_MS)
      .start();
    return `http://${registry.getHost()}:${registry.getMappedPort(8080)}${REGISTRY_PATH}`;
  };
  return {
    brokers: [`localhost:${port}`],
    registryUrl: onlyOnce(startRegistry),
    stop: async () => {
      await registry?.stop();
      await container.stop({ timeout: 0 });
    },
    kill: async () => {
      await broker.kill();
    },
    restart: async () => {
      await broker.start();
      await portAnswers(port);
    },
    pause: async () => {
      await broker.pause();
    },
    resume: async () => {
      await broker.unpause();
    },
    proxied,
  };
}

// Jars

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local.test</groupId><artifactId>kafka-broker</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${KAFKA_VERSION}</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>${KAFKA_VERSION}</version>
      <exclusions>
        ${['connect-runtime', 'connect-api', 'connect-json', 'connect-transforms']
          .map(
            (artifact) =>
              `<exclusion><groupId>org.apache.kafka</groupId><artifactId>${artifact}</artifactId></exclusion>`,
          )
          .join('\n        ')}
      </exclusions></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.25.4</version></dependency>
  </dependencies>
  <build><plugins><plugin><groupId>org.apache.maven.plugins</groupId>
    <artifactId>maven-dependency-plugin</artifactId><version>3.8.1</version></plugin></plugins></build>
</project>
`;

const LOG_PROPERTIES = `status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %p %c: %m%n
rootLogger.level = warn
rootLogger.appenderRefs = out
rootLogger.appenderRef.out.ref = out
logger.ready.name = kafka.server.KafkaRaftServer
logger.ready.level = info
`;

const JVM = ['-Xms256m', '-Xmx256m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];

async function hasJavaAndMaven(): Promise<boolean> {
  try {
    await Promise.all([run('java', ['-version']), run('mvn', ['-v'])]);
    return true;
  } catch {
    return false;
  }
}

function cacheFolder(): string {
  const folder = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'reprise');
  mkdirSync(folder, { recursive: true });
  return folder;
}

/** Filled aside and moved in one step, so that an interrupted download is never taken for a whole one. */
async function cached(name: string, fill: (folder: string) => Promise<void>): Promise<string> {
  const folder = join(cacheFolder(), name);
  if (existsSync(folder)) return folder;
  const aside = mkdtempSync(join(cacheFolder(), `${name}.`));
  await fill(aside);
  try {
    renameSync(aside, folder);
  } catch (error) {
    rmSync(aside, { recursive: true, force: true });
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

async function kafkaHome(): Promise<string> {
  const home = await cached(`kafka-${KAFKA_VERSION}`, async (folder) => {
    writeFileSync(join(folder, 'pom.xml'), POM);
    writeFileSync(join(folder, 'log4j2.properties'), LOG_PROPERTIES);
    await run(
      'mvn',
      [
        '-q',
        '-B',
        'dependency:copy-dependencies',
        '-DincludeScope=runtime',
        `-DoutputDirectory=${join(folder, 'libs')}`,
      ],
      { cwd: folder },
    );
  });
  // The archive of loaded classes holds the paths of the jars, so it is made in place; without it starting takes seconds more.
  if (!existsSync(join(home, 'app.jsa'))) {
    const archive = join(home, `app.${process.pid}.jsa`);
    const broker = new JarBroker(
      home,
      await freePorts(4),
      mkdtempSync(join(tmpdir(), 'reprise-kafka-')),
      `-XX:ArchiveClassesAtExit=${archive}`,
    );
    await broker.start();
    await broker.end('SIGTERM');
    broker.deleteData();
    if (existsSync(archive)) renameSync(archive, join(home, 'app.jsa'));
  }
  return home;
}

async function startJars(): Promise<TestKafka> {
  const home = await kafkaHome();
  const ports = await freePorts(4);
  const [port = 0, , brokerPort = 0, advertisedPort = 0] = ports;
  const broker = new JarBroker(
    home,
    ports,
    mkdtempSync(join(tmpdir(), 'reprise-kafka-')),
    `-XX:SharedArchiveFile=${join(home, 'app.jsa')}`,
  );
  await broker.start();
  let registry: Java | undefined;
  const startRegistry = async (): Promise<string> => {
    const jars = await registryHome();
    const [port] = await freePorts(1);
    const url = `http://127.0.0.1:${port}${REGISTRY_PATH}`;
    registry = new Java([
      ...[
        '-Xmx192m',
        '-XX:TieredStopAtLevel=1',
        '-XX:+UseSerialGC',
        '-Dquarkus.http.host=127.0.0.1',
        `-Dquarkus.http.port=${port}`,
      ],
      ...['-jar', join(jars, `apicurio-registry-app-${REGISTRY_VERSION}-runner.jar`)],
    ]);
    await registry.ready(async () => (await fetch(`${url}/subjects`)).ok);
    return url;
  };
  return {
    brokers: [`127.0.0.1:${port}`],
    registryUrl: onlyOnce(startRegistry),
    stop: async () => {
      await Promise.all([broker.end('SIGKILL'), registry?.end('SIGKILL')]);
      broker.deleteData();
    },
    kill: () => broker.end('SIGKILL'),
    restart: () => broker.start(),
    pause: async () => broker.signal('SIGSTOP'),
    resume: async () => broker.signal('SIGCONT'),
    proxied: { brokerPort, advertisedPort },
  };
}

async function registryHome(): Promise<string> {
  const artifact = `io.apicurio:apicurio-registry-app:${REGISTRY_VERSION}:tar.gz:all`;
  return cached(`apicurio-${REGISTRY_VERSION}`, async (folder) => {
    const plugin = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1';
    await run('mvn', ['-q', '-B', `${plugin}:get`, '-Dtransitive=false', `-Dartifact=${artifact}`]);
    await run('mvn', [
      '-q',
      '-B',
      `${plugin}:copy`,
      `-Dartifact=${artifact}`,
      `-DoutputDirectory=${folder}`,
      '-Dmdep.useBaseVersion=true',
    ]);
    await run('tar', ['xzf', join(folder, `apicurio-registry-app-${REGISTRY_VERSION}-all.tar.gz`), '-C', folder]);
    rmSync(join(folder, `apicurio-registry-app-${REGISTRY_VERSION}-all.tar.gz`));
  });
}

function brokerProperties({
  port,
  controllerPort,
  host,
  advertisedHost,
  proxied,
}: {
  port: number;
  controllerPort: number;
  host: string;
  advertisedHost: string;
  proxied: ProxiedListener;
}): Record<string, string> {
  return {
    'process.roles': 'broker,controller',
    'node.id': '1',
    // On a busy machine one minute, the default, is too short.
    'initial.broker.registration.timeout.ms': '180000',
    listeners: `PLAINTEXT://${host}:${port},PROXIED://${host}:${proxied.brokerPort},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://${advertisedHost}:${port},PROXIED://127.0.0.1:${proxied.advertisedPort}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '1',
    'group.initial.rebalance.delay.ms': '0',
    'auto.create.topics.enable': 'false',
    'num.network.threads': '2',
    'num.io.threads': '4',
    'log.cleaner.dedupe.buffer.size': '2097152',
    'log.flush.interval.messages': '1',
    'broker.session.timeout.ms': '2000',
    'broker.heartbeat.interval.ms': '300',
    'message.max.bytes': String(MAX_MESSAGE_BYTES),
    'replica.fetch.max.bytes': String(MAX_MESSAGE_BYTES),
  };
}

class JarBroker {
  readonly #data: string;
  readonly #options: readonly string[];
  #java: Java | undefined;

  constructor(
    home: string,
    [port = 0, controllerPort = 0, brokerPort = 0, advertisedPort = 0]: readonly number[],
    data: string,
    archiveOption: string,
  ) {
    this.#data = data;
    this.#options = [
      ...JVM,
      archiveOption,
      `-Dlog4j2.configurationFile=file:${join(home, 'log4j2.properties')}`,
      '-cp',
      join(home, 'libs', '*'),
    ];
    const proxied = { brokerPort, advertisedPort };
    const properties = {
      ...brokerProperties({ port, controllerPort, host: '127.0.0.1', advertisedHost: '127.0.0.1', proxied }),
      'log.dirs': join(data, 'logs'),
    };
    const text = Object.entries(properties).map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(this.#properties, text.join(''));
  }

  get #properties(): string {
    return join(this.#data, 'server.properties');
  }

  async start(): Promise<void> {
    if (!existsSync(join(this.#data, 'logs'))) {
      const format = this.#options.filter((option) => !option.startsWith('-XX:ArchiveClassesAtExit'));
      await run('java', [
        ...format,
        'kafka.tools.StorageTool',
        'format',
        '-t',
        'AAAAAAAAAAAAAAAAAAAAAQ',
        '-c',
        this.#properties,
      ]);
    }
    this.#java = new Java([...this.#options, 'kafka.Kafka', this.#properties]);
    await this.#java.ready(async (output) => output.includes('Kafka Server started'));
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await this.#java?.end(signal);
  }

  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#java?.signal(signal);
  }

  deleteData(): void {
    rmSync(this.#data, { recursive: true, force: true });
  }
}

/** A Java process that does not outlive this one, however this one ends. */
class Java {
  readonly #process: ChildProcess;
  readonly #guard: ChildProcess;
  #output = '';

  constructor(args: readonly string[]) {
    this.#process = spawn('java', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.#output = (this.#output + chunk.toString()).slice(-20_000);
      });
    }
    // Waits for the end of its input, which comes when this process is gone, and ends Java by its id then.
    this.#guard = spawn('sh', ['-c', 'cat >/dev/null; kill -9 "$0" 2>/dev/null', String(this.#process.pid)], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    this.#guard.unref();
  }

  async ready(isReady: (output: string) => Promise<boolean>): Promise<void> {
    const until = Date.now() + START_TIMEOUT_MS;
    while (!(await isReady(this.#output).catch(() => false))) {
      if (this.#process.exitCode !== null || this.#process.signalCode !== null || Date.now() > until) {
        await this.end('SIGKILL');
        throw new Error(`Java did not get ready:\n${this.#output}`);
      }
      await delay(50);
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const exited = once(this.#process, 'exit');
      this.#process.kill(signal);
      await exited;
    }
    this.#guard.kill('SIGKILL');
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    return address.port;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

async function portAnswers(port: number): Promise<void> {
  const { connect } = await import('node:net');
  for (const until = Date.now() + START_TIMEOUT_MS; Date.now() < until;) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (isOpen) return;
    await delay(100);
  }
  throw new Error(`nothing answers on port ${port}`);
}

/** The same promise for every call. */
function onlyOnce<Value>(make: () => Promise<Value>): () => Promise<Value> {
  let made: Promise<Value> | undefined;
  return () => (made ??= make());
}
