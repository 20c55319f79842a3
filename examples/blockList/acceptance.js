// Which entries of the topic count: docs/topic.md, "Acceptance". A pure function of what was accepted so far and the entry.

/** Newest acceptance rules and newest schema that this program knows. */
export const RULES = 1;
export const SCHEMA = 1;

export const START = {
  logId: undefined,
  rules: 1,
  epoch: 0n,
  claim: undefined,
  height: 0n,
  parent: Buffer.alloc(32),
};

const u64 = (bytes) => bytes.readBigUInt64BE(0);
const u32 = (bytes) => bytes.readUInt32BE(0);
const equal = (a, b) => a !== undefined && Buffer.compare(a, b) === 0;

/**
 * The state after the entry, and the block that it adds; the same state: the entry is skipped. Throws where a reader has to
 * stop and be replaced by a newer one.
 * @param entry decoded; undefined: it does not decode
 */
export function accept(state, entry) {
  const skipped = { state, block: undefined };
  if (entry === undefined) return skipped;
  // The Avro library writes a union of records as an object with the full name of the record.
  const [name, content] = Object.entries(entry.payload)[0];
  const kind = name.split('.').at(-1);
  if (kind === 'Genesis')
    return state.logId === undefined ? { ...skipped, state: { ...state, logId: entry.logId } } : skipped;
  if (!equal(state.logId, entry.logId)) return skipped;

  if (kind === 'EpochStarted') {
    const rules = u32(content.rules);
    const head = content.head ?? undefined;
    const isNext = u64(entry.epoch) === state.epoch + 1n && rules >= state.rules;
    const isOnHead = head === undefined || (u64(head.height) === state.height && equal(state.parent, head.parent));
    if (!isNext || !isOnHead) return skipped;
    if (rules > RULES) throw new Error(`the log has moved to rules ${rules}, this program knows ${RULES}: upgrade it`);
    return { ...skipped, state: { ...state, epoch: state.epoch + 1n, claim: entry.claim, rules } };
  }

  if (kind !== 'Block' || !equal(state.claim, entry.claim)) return skipped;
  const { record } = content;
  const height = u64(content.height);
  const isNext = height === state.height + 1n && equal(state.parent, content.parent);
  if (!isNext || u64(record.context.blockNumber) !== height) return skipped;
  return {
    state: { ...state, height, parent: record.blockOutputHash },
    block: {
      number: Number(height),
      outputHash: `0x${record.blockOutputHash.toString('hex')}`,
      timestamp: Number(u64(record.context.timestamp)),
      transactions: record.transactions.length,
    },
  };
}
