/** The recording client (recordingClient.ts) in its own process, as a test sees it. */
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { until } from './nodeProcess.ts';
import type { ClientRecord, ClientReport, ClientSettings } from './recordingClient.ts';

export class RunningClient {
  readonly #child: ChildProcess;
  readonly #recordPath: string;
  readonly #ended: Promise<number | null>;
  report: ClientReport = { pending: 0, published: 0, head: 0, isDone: false };

  constructor(settings: ClientSettings) {
    this.#recordPath = settings.recordPath;
    this.#child = fork(fileURLToPath(new URL('recordingClient.ts', import.meta.url)), [JSON.stringify(settings)]);
    this.#child.on('message', (report) => (this.report = report as ClientReport));
    this.#ended = new Promise((resolve) => this.#child.once('exit', resolve));
  }

  /** Everything written down so far; the process appends whole lines. */
  records(): ClientRecord[] {
    return readFileSync(this.#recordPath, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as ClientRecord);
  }

  finish(): void {
    this.#child.send('finish');
  }

  async whenDone(timeoutMs: number): Promise<void> {
    let code: number | null | undefined;
    void this.#ended.then((value) => (code = value));
    await until('the client is done', () => (code === undefined ? undefined : true), timeoutMs);
    assert.equal(code, 0, `the client ended with ${code}: ${JSON.stringify(this.report)}`);
  }

  end(): void {
    this.#child.kill('SIGKILL');
  }
}
