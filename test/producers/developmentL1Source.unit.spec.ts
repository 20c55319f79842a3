import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { bigIntToBytes, toHex } from '../../src/common/bytes.ts';
import { keccak256 } from '../../src/common/hash.ts';
import {
  type DevelopmentL1Source,
  type L1Request,
  RICH_ACCOUNT,
  openDevelopmentL1Source,
} from '../../src/producers/developmentL1Source.ts';
import { decodeTransaction, l1AbiEncoding } from '../../src/protocol/transactionCodec.ts';

function aRequest(fields: Partial<L1Request> = {}): L1Request {
  const account = bigIntToBytes(0xabcn, 20);
  return {
    initiator: account,
    to: account,
    gasLimit: 300_000n,
    maxFeePerGas: 10n,
    value: 7n,
    toMint: 3_000_007n,
    refundRecipient: account,
    ...fields,
  };
}

describe('development L1 source', () => {
  let path: string;
  let open: DevelopmentL1Source[];

  const source = (): DevelopmentL1Source => {
    const opened = openDevelopmentL1Source({ path });
    open.push(opened);
    return opened;
  };

  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), 'l1-source-'));
    open = [];
  });

  afterEach(() => {
    for (const opened of open) opened.close();
    rmSync(path, { recursive: true });
  });

  it('makes the development account rich with request 0', () => {
    const l1 = source();
    assert.equal(l1.nextId, 1n);
    const deposit = l1.get(0n);
    assert.ok(deposit);
    assert.equal(toHex(deposit.to), '0x36615cf349d7f6344891b1e7ca7c72883f5dc049');
    assert.notDeepEqual(
      deposit.initiator,
      RICH_ACCOUNT,
      'clients would take it for the first transaction of the account',
    );
    assert.deepEqual([deposit.to, deposit.refundRecipient], [RICH_ACCOUNT, RICH_ACCOUNT]);
    assert.ok(deposit.value >= 10_000n * 10n ** 18n);
    assert.ok(deposit.toMint >= deposit.value + deposit.maxFeePerGas * deposit.gasLimit);
    assert.deepEqual([deposit.type, deposit.nonce, deposit.gasPerPubdataByteLimit], [0x7f, 0n, 800n]);
    assert.deepEqual(deposit.hash, keccak256(l1AbiEncoding(deposit)));
    assert.deepEqual(decodeTransaction(deposit.raw), deposit);
  });

  it('serves requests by id, any number of times, and the same after a restart', () => {
    const first = source();
    const given = [1n, 2n, 3n].map((value) => first.request(aRequest({ value, input: Uint8Array.of(Number(value)) })));
    assert.deepEqual(
      given.map(({ id }) => id),
      [1n, 2n, 3n],
    );
    const before = [0n, 1n, 2n, 3n].map((id) => first.get(id));
    assert.equal(first.get(4n), undefined);
    assert.equal(first.get(-1n), undefined);
    assert.equal(first.has(4n), false);
    open.pop()?.close();
    const second = source();
    assert.equal(second.nextId, 4n);
    assert.deepEqual(
      [0n, 1n, 2n, 3n].map((id) => second.get(id)),
      before,
    );
    assert.deepEqual(second.get(2n)?.hash, given[1]?.hash);
    assert.equal(second.request(aRequest()).id, 4n);
  });

  it('serves more requests than it remembers', () => {
    const l1 = source();
    for (let i = 1; i <= 80; i++) l1.request(aRequest({ value: BigInt(i), toMint: 10n ** 9n }));
    assert.deepEqual(
      [1n, 80n].map((id) => l1.get(id)?.value),
      [1n, 80n],
    );
  });

  it('tells of arrivals', async () => {
    const l1 = source();
    let arrivals = 0;
    l1.onArrival = () => arrivals++;
    const controller = new AbortController();
    await l1.whenAvailable(0n, controller.signal);
    const waiting = l1.whenAvailable(2n, controller.signal);
    const cancelled = l1.whenAvailable(9n, controller.signal);
    l1.request(aRequest());
    l1.request(aRequest());
    await waiting;
    assert.equal(arrivals, 2);
    controller.abort(new Error('stopping'));
    await assert.rejects(cancelled, /stopping/);
    await assert.rejects(l1.whenAvailable(0n, controller.signal), /stopping/);
  });

  it('refuses what no block could include, and gives its id to the next', () => {
    const l1 = openDevelopmentL1Source({ path, refusal: ({ value }) => (value === 13n ? 'unlucky' : undefined) });
    open.push(l1);
    const cases: [Partial<L1Request>, string][] = [
      [{ toMint: 3_000_006n }, 'L1_REQUEST_UNDERFUNDED'],
      [{ value: 13n, toMint: 10n ** 9n }, 'L1_REQUEST_REFUSED'],
      [{ gasPerPubdata: 1n << 32n }, 'L1_REQUEST_REFUSED'],
      [{ to: new Uint8Array(19) }, 'TRANSACTION_MALFORMED'],
      [{ maxFeePerGas: 0n, gasLimit: 1n << 64n }, 'TRANSACTION_FIELD_TOO_WIDE'],
    ];
    for (const [fields, code] of cases) assert.throws(() => l1.request(aRequest(fields)), { code });
    assert.equal(l1.request(aRequest()).id, 1n);
  });

  it('ignores what a crash left of an unfinished commit', () => {
    const l1 = source();
    l1.request(aRequest());
    const database = join(path, 'requests.sqlite');
    const wal = `${database}-wal`;
    const copy = mkdtempSync(join(tmpdir(), 'l1-torn-'));
    try {
      l1.request(aRequest({ input: new Uint8Array(500) }));
      const [bytes, walBytes] = [readFileSync(database), readFileSync(wal)];
      writeFileSync(join(copy, 'requests.sqlite'), bytes);
      writeFileSync(join(copy, 'requests.sqlite-wal'), walBytes);
      truncateSync(join(copy, 'requests.sqlite-wal'), walBytes.length - 100);
      const torn = openDevelopmentL1Source({ path: copy });
      assert.equal(torn.nextId, 2n);
      assert.equal(torn.request(aRequest()).id, 2n);
      torn.close();
    } finally {
      rmSync(copy, { recursive: true });
    }
  });

  it('takes requests of another process, each under an id of its own', async () => {
    const ours = source();
    const theirs = source();
    const first = theirs.request(aRequest());
    const second = ours.request(aRequest());
    assert.equal(second.id, first.id + 1n);
    const third = theirs.request(aRequest());
    await ours.whenAvailable(third.id, AbortSignal.timeout(5_000));
    assert.deepEqual(ours.get(third.id)?.hash, third.hash);
    assert.deepEqual(ours.get(first.id)?.hash, first.hash);
  });

  it('refuses an unknown format and a hole', () => {
    source();
    open.pop()?.close();
    const file = join(path, 'requests.sqlite');
    const edit = (sql: string): void => {
      const database = new DatabaseSync(file);
      database.exec(sql);
      database.close();
    };
    edit('UPDATE request SET id = 5');
    assert.throws(() => openDevelopmentL1Source({ path }), { code: 'DEVELOPMENT_L1_CORRUPT' });
    edit('PRAGMA user_version=99');
    assert.throws(() => openDevelopmentL1Source({ path }), { code: 'DEVELOPMENT_L1_FORMAT' });
    writeFileSync(file, 'this is no database, only a text of some length');
    assert.throws(() => openDevelopmentL1Source({ path }), { code: 'DEVELOPMENT_L1_IO' });
  });
});
