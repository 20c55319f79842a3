/** Logs and L2->L1 logs inside stored values. */
import type { Bytes } from '../common/bytes.ts';
import type { L2ToL1Log, Log } from '../protocol/blockOutput.ts';
import type { ByteReader } from './byteReader.ts';
import type { ByteWriter } from './byteWriter.ts';

const ADDRESS = 20;
const HASH = 32;

export function writeLog(out: ByteWriter, log: Log): void {
  out.fixed(log.address, ADDRESS);
  out.byte(log.topics.length);
  for (const topic of log.topics) out.fixed(topic, HASH);
  out.bytes(log.data);
}

/** Views of what is read. */
export function readLog(reader: ByteReader): Log {
  const address = reader.fixed(ADDRESS);
  const topics: Bytes[] = [];
  for (let left = reader.byte(); left > 0; left--) topics.push(reader.fixed(HASH));
  return { address, topics, data: reader.bytes() };
}

export function writeL2ToL1Log(out: ByteWriter, log: L2ToL1Log): void {
  out.byte(log.shardId);
  out.byte(log.isService ? 1 : 0);
  out.varint(log.txNumberInBlock);
  out.fixed(log.sender, ADDRESS);
  out.fixed(log.key, HASH);
  out.fixed(log.value, HASH);
}

/** Views of what is read. */
export function readL2ToL1Log(reader: ByteReader): L2ToL1Log {
  return {
    shardId: reader.byte(),
    isService: reader.byte() === 1,
    txNumberInBlock: reader.varint(),
    sender: reader.fixed(ADDRESS),
    key: reader.fixed(HASH),
    value: reader.fixed(HASH),
  };
}
