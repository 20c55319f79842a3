/** Records as they come over a TCP connection (spec: replay-record 7.3), read no faster than they are taken. */
import type { Bytes } from '../common/bytes.ts';
import { NodeError } from '../common/errors.ts';
import { dataView } from '../protocol/words.ts';
import { FRAME_MAX_BYTES } from '../protocol/replayTransport.ts';
import { REPLAY_VERSION_NEWEST, decodeReplayRecord } from '../protocol/replayWireFormat.ts';
import type { ReplayRecord } from '../protocol/replayRecord.ts';

/**
 * Yields one record per frame, until the connection ends; `onServed` once the server has begun to answer. Throws a retryable NodeError: REPLAY_CONNECTION_LOST (also in the
 * middle of a frame), REPLAY_VERSION_UNKNOWN, REPLAY_FRAME_MALFORMED.
 */
export async function* readRecords(
  chunks: AsyncIterable<Bytes>,
  onServed: () => void = () => undefined,
): AsyncGenerator<ReplayRecord> {
  const reader = new ExactReader(chunks);
  const version = await reader.u32();
  if (version < 1 || version > REPLAY_VERSION_NEWEST)
    throw new NodeError(
      'retryable',
      `the server writes records in version ${version}, this node reads 1 to ${REPLAY_VERSION_NEWEST}: upgrade the older of both`,
      { code: 'REPLAY_VERSION_UNKNOWN', version },
    );
  onServed();
  for (;;) {
    const length = await reader.u32();
    if (length > FRAME_MAX_BYTES)
      throw malformed(`a frame of ${length} bytes is announced, at most ${FRAME_MAX_BYTES} are taken`);
    const bytes = await reader.read(length);
    let record: ReplayRecord;
    try {
      record = decodeReplayRecord(bytes, version);
    } catch (error) {
      throw malformed(error instanceof Error ? error.message : String(error), error);
    }
    yield record;
  }
}

function malformed(what: string, cause?: unknown): NodeError {
  return new NodeError(
    'retryable',
    `what the replay server sends cannot be read: ${what}`,
    { code: 'REPLAY_FRAME_MALFORMED' },
    cause === undefined ? {} : { cause },
  );
}

/** So many bytes at a time; keeps no more than one chunk ahead. */
class ExactReader {
  readonly #iterator: AsyncIterator<Bytes>;
  #rest: Bytes = new Uint8Array(0);

  constructor(chunks: AsyncIterable<Bytes>) {
    this.#iterator = chunks[Symbol.asyncIterator]();
  }

  async u32(): Promise<number> {
    return dataView(await this.read(4)).getUint32(0);
  }

  async read(length: number): Promise<Bytes> {
    const bytes = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      if (this.#rest.length === 0) {
        this.#rest = await this.#next(length - filled);
        continue;
      }
      const part = this.#rest.subarray(0, length - filled);
      bytes.set(part, filled);
      filled += part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
    return bytes;
  }

  async #next(missing: number): Promise<Bytes> {
    let cause: unknown;
    try {
      const next = await this.#iterator.next();
      if (next.done !== true) return next.value;
    } catch (error) {
      cause = error;
    }
    throw new NodeError(
      'retryable',
      `the replay server has ended the connection with ${missing} bytes missing`,
      { code: 'REPLAY_CONNECTION_LOST' },
      cause === undefined ? {} : { cause },
    );
  }
}
