import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { after, before, describe, it } from 'mocha';
import { privateKeyToAccount } from 'viem/accounts';
import { type Bytes, bytesKey, fromHex, toHex } from '../../src/common/bytes.ts';
import { NodeError } from '../../src/common/errors.ts';
import { SignatureError, recoverSender, recoverSenders } from '../../src/producers/senderRecovery.ts';
import { type L2Transaction, isL1Transaction } from '../../src/protocol/transaction.ts';
import { decodeTransaction, encodeL1Transaction } from '../../src/protocol/transactionCodec.ts';
import { type Recovery, createRecovery } from '../../src/workers/recovery.ts';

const CURVE_ORDER = 0xffff_ffff_ffff_ffff_ffff_ffff_ffff_fffe_baae_dce6_af48_a03b_bfd2_5e8c_d036_4141n;
const account = privateKeyToAccount(`0x${'11'.repeat(32)}`);
const SENDER = account.address.toLowerCase();

function decodeL2(raw: Bytes): L2Transaction {
  const transaction = decodeTransaction(raw);
  assert.ok(!isL1Transaction(transaction));
  return transaction;
}

async function signedRaw(nonce: number): Promise<Bytes> {
  const signed = await account.signTransaction({
    type: 'eip1559',
    chainId: 270,
    nonce,
    to: '0x00000000000000000000000000000000000000aa',
    value: 5n,
    gas: 21_000n,
    maxFeePerGas: 2_000n,
    maxPriorityFeePerGas: 1n,
  });
  return fromHex(signed);
}

/** Raw bytes and sender of every signed transaction in the vectors. */
function vectorCases(): { raw: Bytes; sender: string }[] {
  const cases: { raw: Bytes; sender: string }[] = [];
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    const { raw, sender } = value as { raw?: unknown; sender?: unknown };
    if (typeof raw === 'string' && typeof sender === 'string') cases.push({ raw: fromHex(raw), sender });
    for (const inner of Object.values(value)) visit(inner);
  };
  for (const name of ['legacy', 'typed']) {
    visit(JSON.parse(readFileSync(new URL(`../fixtures/vectors/tx/${name}.json`, import.meta.url), 'utf8')));
  }
  return cases;
}

describe('sender recovery', () => {
  it('finds the senders of the vectors', () => {
    const cases = vectorCases();
    assert.ok(cases.length >= 2, `${cases.length} cases`);
    for (const { raw, sender } of cases) assert.equal(toHex(recoverSender(decodeL2(raw))), sender.toLowerCase());
  });

  it('finds who signed, for every type and key', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.bigInt({ min: 1n, max: CURVE_ORDER - 1n }),
        fc.constantFrom('legacy', 'eip2930', 'eip1559'),
        fc.nat(1_000),
        async (key, type, nonce) => {
          const signer = privateKeyToAccount(`0x${key.toString(16).padStart(64, '0')}`);
          const common = { chainId: 270, nonce, to: signer.address, gas: 50_000n };
          const signed = await (type === 'legacy'
            ? signer.signTransaction({ ...common, type, gasPrice: 7n })
            : type === 'eip2930'
              ? signer.signTransaction({ ...common, type, gasPrice: 7n, accessList: [] })
              : signer.signTransaction({ ...common, type, maxFeePerGas: 7n }));
          assert.equal(toHex(recoverSender(decodeL2(fromHex(signed)))), signer.address.toLowerCase());
        },
      ),
      { numRuns: 20 },
    );
  });

  it('tells malleable, out-of-range and unfitting signatures apart', async () => {
    const transaction = decodeL2(await signedRaw(0));
    const cases: [Partial<L2Transaction>, string][] = [
      [{ s: CURVE_ORDER - transaction.s, yParity: transaction.yParity === 0 ? 1 : 0 }, 'SIGNATURE_MALLEABLE'],
      [{ s: (CURVE_ORDER >> 1n) + 1n }, 'SIGNATURE_MALLEABLE'],
      [{ s: CURVE_ORDER }, 'SIGNATURE_INVALID'],
      [{ s: 0n }, 'SIGNATURE_INVALID'],
      [{ r: 0n }, 'SIGNATURE_INVALID'],
      [{ r: CURVE_ORDER }, 'SIGNATURE_INVALID'],
      [{ r: (1n << 256n) - 1n }, 'SIGNATURE_INVALID'],
      [{ r: 5n }, 'SIGNATURE_INVALID'], // not the x of a point
    ];
    for (const [fields, code] of cases) {
      assert.throws(
        () => recoverSender({ ...transaction, ...fields }),
        (error) =>
          error instanceof SignatureError &&
          error.code === code &&
          error.message.startsWith('invalid transaction signature'),
      );
    }
    recoverSender({ ...transaction, s: CURVE_ORDER >> 1n });
    const [sender, error] = recoverSenders([transaction, { ...transaction, s: 0n }]);
    assert.equal(toHex(sender as Bytes), SENDER);
    assert.ok(error instanceof SignatureError);
  });

  it('gives addresses that later recoveries leave alone', async () => {
    const first = recoverSender(decodeL2(await signedRaw(0)));
    const other = privateKeyToAccount(`0x${'22'.repeat(32)}`);
    recoverSender(decodeL2(fromHex(await other.signTransaction({ type: 'legacy', gasPrice: 7n, gas: 21_000n }))));
    assert.equal(toHex(first), SENDER);
    assert.equal(first.buffer.byteLength, 20);
  });
});

describe('recovery workers', () => {
  let recovery: Recovery;

  before(() => {
    recovery = createRecovery({ workerCount: 1, maxQueuedTransactions: 400, cachedSenders: 500 });
  });

  after(() => recovery.close());

  it('recovers many at once, in several batches', async () => {
    const raws = await Promise.all(Array.from({ length: 300 }, (_, nonce) => signedRaw(nonce)));
    const recovered = await Promise.all(raws.map((raw) => recovery.recover(raw)));
    for (const { sender } of recovered) {
      assert.equal(toHex(sender), SENDER);
      assert.equal(sender.buffer.byteLength, 20);
    }
  });

  it('recovers each once: the same answer while it runs and afterwards', async () => {
    const raw = await signedRaw(1_000);
    const [first, second] = [recovery.recover(raw), recovery.recover(new Uint8Array(raw))];
    assert.equal(first, second);
    assert.equal(await recovery.recover(raw), await first);
  });

  it('answers errors of decoding and recovery with their codes, to the right one of a batch', async () => {
    const good = await signedRaw(2_000);
    const zeroS = new Uint8Array(good);
    zeroS.fill(0xff, zeroS.length - 32);
    const [a, b, c, d] = await Promise.allSettled([
      recovery.recover(Uint8Array.of(0x02, 0xc0)),
      recovery.recover(good),
      recovery.recover(zeroS),
      recovery.recover(Uint8Array.of(0x03, 0xc0)),
    ]);
    assert.ok(a.status === 'rejected' && a.reason instanceof NodeError && a.reason.code === 'TRANSACTION_MALFORMED');
    assert.ok(b.status === 'fulfilled' && toHex(b.value.sender) === SENDER);
    assert.ok(c.status === 'rejected' && c.reason instanceof NodeError && c.reason.code === 'SIGNATURE_INVALID');
    assert.ok(
      d.status === 'rejected' && d.reason instanceof NodeError && d.reason.code === 'TRANSACTION_TYPE_UNSUPPORTED',
    );
  });

  it('answers an L1 transaction with its initiator', async () => {
    const initiator = fromHex('0x357fe6c9f85dc429596577cf2e7a191f60b6865b');
    const { raw } = encodeL1Transaction({
      type: 0x7f,
      initiator,
      to: initiator,
      gasLimit: 300_000n,
      gasPerPubdataByteLimit: 800n,
      maxFeePerGas: 5n,
      maxPriorityFeePerGas: 0n,
      nonce: 1n,
      value: 50n,
      toMint: 2_000_000n,
      refundRecipient: initiator,
      input: new Uint8Array(0),
      factoryDeps: [],
    });
    assert.deepEqual((await recovery.recover(raw)).sender, initiator);
  });

  it('refuses more than its queue holds, and goes on', async () => {
    // Two full batches leave for the worker at once.
    const count = 2 * 128 + 400 + 1;
    const raws = await Promise.all(Array.from({ length: count }, (_, nonce) => signedRaw(5_000 + nonce)));
    const results = await Promise.allSettled(raws.map((raw) => recovery.recover(raw)));
    const refused = results.filter((result) => result.status === 'rejected');
    assert.equal(refused.length, 1);
    assert.ok(
      refused[0]?.reason instanceof NodeError &&
        refused[0].reason.code === 'RECOVERY_QUEUE_FULL' &&
        refused[0].reason.kind === 'retryable',
    );
    assert.equal(results.at(-1)?.status, 'rejected');
    assert.equal(toHex((await recovery.recover(raws.at(-1) as Bytes)).sender), SENDER);
  });

  it('rejects what waits when it closes', async () => {
    const closing = createRecovery();
    const raws = await Promise.all(Array.from({ length: 3 }, (_, nonce) => signedRaw(9_000 + nonce)));
    const waiting = Promise.allSettled(raws.map((raw) => closing.recover(raw)));
    await closing.close();
    for (const result of await waiting) {
      assert.ok(
        result.status === 'rejected' && result.reason instanceof NodeError && result.reason.code === 'RECOVERY_CLOSED',
      );
    }
    await assert.rejects(closing.recover(raws[0] as Bytes), { code: 'RECOVERY_CLOSED' });
    assert.equal(new Set(raws.map(bytesKey)).size, 3);
  });
});
