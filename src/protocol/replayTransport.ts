/**
 * Framing of records between nodes over TCP (spec: replay-record 7.3). The client sends a request line, an empty line and
 * the first block that it wants; the server answers the version of the format and then one frame per block, for ever.
 */
import { type Bytes, concatBytes } from '../common/bytes.ts';
import { ProtocolError } from './errors.ts';
import { dataView } from './words.ts';

/** Of one record; what other implementations take. */
export const FRAME_MAX_BYTES = 8 * 1024 * 1024;
const REQUEST_LINE = new TextEncoder().encode('POST /block_replays HTTP/1.0\r\n\r\n');
const REQUEST_HEAD_MAX_BYTES = 8_192;
const NUMBER_BYTES = 8;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** What a client sends. */
export function replayRequest(firstBlock: bigint): Bytes {
  const number = new Uint8Array(NUMBER_BYTES);
  dataView(number).setBigUint64(0, firstBlock);
  return concatBytes(REQUEST_LINE, number);
}

/**
 * The first block that a client asks for; undefined while bytes are missing. Everything up to the first empty line is
 * skipped. Throws REPLAY_REQUEST_MALFORMED.
 */
export function readReplayRequest(bytes: Bytes): bigint | undefined {
  let isLineEmpty = true;
  const end = Math.min(bytes.length, REQUEST_HEAD_MAX_BYTES);
  for (let i = 0; i < end; i++) {
    if (bytes[i] === LINE_FEED) {
      if (isLineEmpty && i > 1) {
        const rest = bytes.subarray(i + 1);
        return rest.length < NUMBER_BYTES ? undefined : dataView(rest).getBigUint64(0);
      }
      isLineEmpty = true;
    } else if (bytes[i] !== CARRIAGE_RETURN) isLineEmpty = false;
  }
  if (bytes.length < REQUEST_HEAD_MAX_BYTES) return undefined;
  throw new ProtocolError(
    'REPLAY_REQUEST_MALFORMED',
    `a replay request has no empty line in its first ${REQUEST_HEAD_MAX_BYTES} bytes`,
  );
}

/** A 32-bit number as the transport writes them: the version, and the length before each record. */
export function u32Frame(value: number): Bytes {
  const bytes = new Uint8Array(4);
  dataView(bytes).setUint32(0, value);
  return bytes;
}
