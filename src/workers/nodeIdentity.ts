/** `node-id`: 16 random bytes that name this node in the log, kept in the data folder; the boot id is of this life alone. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Bytes, fromHex, toHex } from '../common/bytes.ts';
import type { RandomSource } from '../common/clock.ts';
import { NodeError, errorText } from '../common/errors.ts';

/** In the data folder. */
export const NODE_ID_FILE = 'node-id';
const ID_BYTES = 16;

/** @throws NodeError NODE_ID_UNREADABLE, DATA_FOLDER_UNUSABLE */
export function readNodeId(dataPath: string, configured: Bytes | undefined, random: RandomSource): Bytes {
  if (configured !== undefined) return configured;
  const path = join(dataPath, NODE_ID_FILE);
  const text = readText(path);
  if (text !== '') return parseNodeId(path, text);
  const id = random(ID_BYTES);
  try {
    mkdirSync(dataPath, { recursive: true });
    writeFileSync(path, `${toHex(id)}\n`);
  } catch (error) {
    throw unusable(dataPath, error);
  }
  return id;
}

/** Empty: there is no file, or nothing came into it any more. */
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw unusable(dirname(path), error);
  }
}

/** @throws NodeError NODE_ID_UNREADABLE */
export function parseNodeId(path: string, text: string): Bytes {
  try {
    const id = fromHex(text.trim());
    if (id.length !== ID_BYTES) throw new RangeError(`it holds ${id.length} bytes`);
    return id;
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unusable(dataPath: string, cause: unknown): NodeError {
  return new NodeError(
    'fatal',
    `${dataPath} cannot be the data folder: ${errorText(cause)}; let this user write there, or set general_rocks_db_path to another one`,
    { code: 'DATA_FOLDER_UNUSABLE', path: dataPath },
    { cause },
  );
}

function unreadable(path: string, cause: unknown): NodeError {
  return new NodeError(
    'fatal',
    `${path} does not hold a node id (16 bytes in hex). Delete it to get a new one: nothing but the log's diagnostics depends on it.`,
    { code: 'NODE_ID_UNREADABLE', path },
    { cause },
  );
}
