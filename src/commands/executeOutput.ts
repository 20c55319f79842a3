/** Output of `reprise execute` (docs/execute.md): bytes are 0x hex, integers decimal strings, what is not there is null. */
import { type Bytes, toHex } from '../common/bytes.ts';
import type { BlockHeader, BlockOutput, L2ToL1Log, TransactionOutput } from '../protocol/blockOutput.ts';
import type { Attempt, ExecutedBlock } from './executeBlock.ts';

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

const hexOrNull = (bytes: Bytes | undefined): string | null => (bytes === undefined ? null : toHex(bytes));

/** bigint and bytes of a flat object as text. */
function fieldsToJson(value: object): Record<string, Json> {
  return Object.fromEntries(
    Object.entries(value).map(([key, field]: [string, unknown]) => [
      key,
      field instanceof Uint8Array
        ? toHex(field)
        : typeof field === 'number' || typeof field === 'boolean'
          ? field
          : String(field),
    ]),
  );
}

function headerToJson(header: BlockHeader): Json {
  return fieldsToJson(header);
}

function l2ToL1LogToJson(log: L2ToL1Log): Json {
  return fieldsToJson(log);
}

function includedToJson(output: TransactionOutput): Record<string, Json> {
  return {
    success: output.success,
    gasUsed: output.gasUsed.toString(),
    nativeUsed: output.nativeUsed.toString(),
    computationalNativeUsed: output.computationalNativeUsed.toString(),
    pubdataUsed: output.pubdataUsed.toString(),
    effectiveGasPrice: output.effectiveGasPrice.toString(),
    returnData: toHex(output.returnData),
    contractAddress: hexOrNull(output.contractAddress),
    logs: output.logs.map(({ address, topics, data }) => ({
      address: toHex(address),
      topics: topics.map(toHex),
      data: toHex(data),
    })),
    l2ToL1Logs: output.l2ToL1Logs.map(l2ToL1LogToJson),
    messages: output.messages.map(({ sender, data }) => ({ sender: toHex(sender), data: toHex(data) })),
  };
}

function resultToJson(attempt: Attempt): Record<string, Json> {
  switch (attempt.status) {
    case 'included':
      return includedToJson(attempt.output);
    case 'rejected':
      return { error: attempt.error, reaction: attempt.reaction, reason: attempt.reason ?? null };
    case 'full':
      return { sealReason: attempt.sealReason };
    case 'fatal':
      return { code: attempt.code, reason: attempt.reason };
    case 'notTried':
      return {};
  }
}

function attemptToJson(attempt: Attempt): Json {
  const { sendered } = attempt;
  return {
    hash: hexOrNull(sendered?.transaction.hash),
    type: sendered?.transaction.type ?? null,
    sender: hexOrNull(sendered?.sender),
    status: attempt.status,
    ...resultToJson(attempt),
  };
}

function blockToJson(output: BlockOutput): Json {
  return {
    header: headerToJson(output.header),
    blockHash: toHex(output.blockHash),
    computationalNativeUsed: output.computationalNativeUsed.toString(),
    writes: output.writes.map(({ flatKey, address, slot, value, accountRecord }) => ({
      flatKey: toHex(flatKey),
      address: toHex(address),
      slot: toHex(slot),
      value: toHex(value),
      accountRecord: hexOrNull(accountRecord),
    })),
    preimages: output.preimages.map(({ hash, bytes }) => ({ hash: toHex(hash), bytes: toHex(bytes) })),
    pubdata: toHex(output.pubdata),
    blockOutputHash: toHex(output.blockOutputHash),
  };
}

/** The document for one input file. */
export function executedBlockToJson(file: string, { attempts, sealReason, output }: ExecutedBlock): Json {
  return {
    file,
    transactions: attempts.map(attemptToJson),
    sealReason,
    block: output === undefined ? null : blockToJson(output),
  };
}
