import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'mocha';
import { L1Queue, type L1Alarm } from '../../src/producers/l1Queue.ts';
import type { L1Transaction, SenderedTransaction } from '../../src/protocol/transaction.ts';
import { wouldStopVm } from '../../src/vm/l1Transaction.ts';
import { anAddress, anL1Transaction, fromL1, from as fromSender } from '../support/factories.ts';
import { FakeClock } from '../support/fakeClock.ts';

const request = (id: number, to = 1): L1Transaction => anL1Transaction({ nonce: BigInt(id), to: anAddress(to) });
const sendered = (transaction: L1Transaction): SenderedTransaction => ({ transaction, sender: transaction.initiator });
const never = new AbortController().signal;

describe('L1Queue', () => {
  let queue: L1Queue;
  let alarms: (L1Alarm | undefined)[];
  let clock: FakeClock;

  beforeEach(() => {
    alarms = [];
    clock = new FakeClock();
    queue = new L1Queue({
      refusal: (transaction) => wouldStopVm(transaction, { gasLimit: 100_000_000n }),
      onAlarm: (alarm) => alarms.push(alarm),
      capacity: 3,
      clock,
    });
    queue.begin(0n, undefined);
  });

  it('serves by id, as often as asked, until a block includes it', async () => {
    let arrivals = 0;
    queue.onArrival = () => (arrivals += 1);
    const waiting = queue.whenAvailable(1n, never);
    queue.add([request(0), request(1)]);
    await waiting;
    assert.equal(arrivals, 1);
    for (const id of [1n, 0n, 1n]) assert.equal(queue.get(id)?.nonce, id);
    assert.equal(queue.has(2n), false);
    queue.included([fromSender(anAddress(5)), sendered(request(0))]);
    assert.deepEqual([queue.has(0n), queue.has(1n), queue.nextId], [false, true, 2n]);
  });

  it('takes ids in order only', () => {
    queue.add([request(0)]);
    for (const id of [0, 2]) assert.throws(() => queue.add([request(id)]), { code: 'L1_REQUEST_ORDER' });
  });

  it('says when it is full, and has room for what a block waits for', async () => {
    assert.equal(queue.add([request(0), request(1)]), true);
    assert.equal(queue.add([request(2)]), false);
    const waiting = queue.check([sendered(request(3))], never);
    assert.equal(queue.hasRoom(), true);
    queue.add([request(3)]);
    await waiting;
    assert.equal(queue.hasRoom(), false);
    queue.included([request(0), request(1)].map(sendered));
    assert.equal(queue.hasRoom(), true);
  });

  it('knows how long the oldest request has waited, across blocks and reorganisations', () => {
    const ages = (): readonly number[] => [queue.status.waiting, queue.status.oldestAgeMs];
    assert.deepEqual(ages(), [0, 0]);
    queue.add([request(0)]);
    clock.advance(2_000);
    queue.add([request(1)]);
    clock.advance(1_000);
    assert.deepEqual(ages(), [2, 3_000]);
    queue.included([sendered(request(0))]);
    assert.deepEqual(ages(), [1, 1_000]);
    queue.truncate(1n);
    assert.deepEqual(ages(), [0, 0]);
    queue.add([request(1, 9)]);
    clock.advance(500);
    assert.deepEqual(ages(), [1, 500]);
  });

  it('keeps a request that would stop the VM, and all after it, from the sequencer', () => {
    const harmful = anL1Transaction({ nonce: 1n, toMint: 0n, value: 1n });
    queue.add([request(0), harmful, request(2)]);
    assert.deepEqual(
      [0n, 1n, 2n].map((id) => queue.has(id)),
      [true, false, false],
    );
    assert.deepEqual(
      alarms.map((alarm) => [alarm?.code, alarm?.id]),
      [['L1_REQUEST_REFUSED', 1n]],
    );
    assert.match(alarms[0]?.text ?? '', /mints less than its value and fee/);
    queue.truncate(2n);
    queue.add([request(2)]);
    assert.deepEqual([alarms.at(-1)?.id, queue.has(1n), queue.has(2n)], [1n, false, false], 'it is still there');
    queue.truncate(1n);
    queue.add([request(1)]);
    assert.deepEqual([alarms.at(-1), queue.has(1n)], [undefined, true]);
  });

  it('goes on behind a refused request that another node has included, up to the next one', () => {
    const tooLarge = (id: bigint): L1Transaction => anL1Transaction({ nonce: id, gasLimit: 200_000_000n });
    queue.add([tooLarge(0n), request(1), tooLarge(2n), request(3)]);
    assert.equal(queue.has(1n), false);
    queue.included([sendered(tooLarge(0n))]);
    assert.deepEqual(
      [1n, 2n, 3n].map((id) => queue.has(id)),
      [true, false, false],
    );
    assert.deepEqual([alarms.at(-1)?.code, alarms.at(-1)?.id], ['L1_REQUEST_REFUSED', 2n]);
    queue.included([sendered(request(1)), sendered(tooLarge(2n))]);
    assert.deepEqual([alarms.at(-1), queue.has(3n)], [undefined, true]);
  });

  it('compares what blocks included before with what L1 says later', () => {
    queue.included([sendered(request(0)), sendered(request(1))]);
    queue.add([request(0), request(1), request(2)]);
    assert.deepEqual([alarms, queue.has(2n)], [[], true]);
    queue.truncate(1n);
    assert.equal(alarms.at(-1)?.code, 'L1_REQUEST_DROPPED');
    queue.add([request(1, 7)]);
    assert.deepEqual([alarms.at(-1)?.code, alarms.at(-1)?.id], ['L1_REQUEST_CHANGED', 1n]);
    queue.add([request(2)]);
    assert.equal(queue.has(2n), false);
    queue.truncate(1n);
    queue.add([request(1), request(2)]);
    assert.deepEqual([alarms.at(-1), queue.has(2n)], [undefined, true]);
  });

  it('notices when a block includes another request than L1 holds', () => {
    queue.add([request(0), request(1)]);
    queue.included([sendered(request(0, 9))]);
    assert.equal(alarms.at(-1)?.code, 'L1_REQUEST_CHANGED');
    assert.equal(queue.has(1n), false);
  });

  it('goes on after a restart where the blocks stand', () => {
    assert.equal(queue.begin(8n, request(7)), 7n);
    queue.add([request(7, 3)]);
    assert.equal(alarms.at(-1)?.code, 'L1_REQUEST_CHANGED');
  });

  it('tells which request a block waits for', async () => {
    const abort = new AbortController();
    const waiting = queue.check([fromL1({ type: 0x7e, nonce: 29n }), sendered(request(0))], abort.signal);
    assert.equal(queue.status.awaitedId, 0n);
    abort.abort(new Error('stopping'));
    await assert.rejects(waiting, /stopping/);
    assert.equal(queue.status.awaitedId, undefined);
    await assert.rejects(queue.check([sendered(request(0))], abort.signal), /stopping/);
  });

  it('finds a transaction that L1 did not emit, by any field', async () => {
    const real = anL1Transaction({ nonce: 0n, value: 5n, toMint: 10n ** 18n });
    queue.add([real]);
    await queue.check([sendered(real)], never);
    const { raw: _raw, hash: _hash, ...fields } = real;
    const forged = [
      { value: 6n },
      { toMint: real.toMint + 1n },
      { to: anAddress(77) },
      { initiator: anAddress(78) },
      { refundRecipient: anAddress(79) },
      { gasLimit: real.gasLimit + 1n },
      { maxFeePerGas: real.maxFeePerGas + 1n },
      { input: Uint8Array.of(1) },
      { factoryDeps: [new Uint8Array(32)] },
    ].map((change) => anL1Transaction({ ...fields, ...change }));
    for (const transaction of forged)
      await assert.rejects(queue.check([sendered(transaction)], never), {
        code: 'L1_PRIORITY_MISMATCH',
        kind: 'invariant',
      });
  });
});
