import assert from 'node:assert/strict';
import { asBuffer, bytesToBigInt, concatBytes, fromHex, padAddress, toHex } from '../../src/common/bytes.ts';
import type { Bytes } from '../../src/common/bytes.ts';
import { NodeError } from '../../src/common/errors.ts';
import { blake2s256, keccak256 } from '../../src/common/hash.ts';
import { storedCode } from '../../src/protocol/accountRecord.ts';
import type { TransactionOutput } from '../../src/protocol/blockOutput.ts';
import { decodePubdata } from '../../src/protocol/pubdata.ts';
import { BlockExecution } from '../../src/vm/blockExecution.ts';
import { aBlockContext, anAddress, anL1Transaction, aWord, code, ETHER, from, push } from '../support/factories.ts';
import { TestState } from '../support/testState.ts';
import { aState, CONTRACT, drive, included, runOne, SENDER } from './harness.ts';

const MESSENGER = anAddress(0x8008);
const BASE_TOKEN = anAddress(0x800a);
const DEPLOYER = anAddress(0x8006);
const UPGRADER = anAddress(0x800f);

const right = (bytes: Bytes): Bytes => concatBytes(bytes, new Uint8Array((32 - (bytes.length % 32)) % 32));
const sendToL1 = (message: Bytes, offset = 32): Bytes =>
  concatBytes(fromHex('62f84b24'), aWord(offset), aWord(message.length), right(message));
const withdraw = (receiver: Bytes): Bytes => concatBytes(fromHex('51cff8d9'), padAddress(receiver));
const withdrawWithMessage = (receiver: Bytes, extra: Bytes): Bytes =>
  concatBytes(fromHex('84bc3eb0'), padAddress(receiver), aWord(64), aWord(extra.length), right(extra));

/** Copies its input to memory and calls `to` with it; answers the return data behind a status word. */
function forwarder(to: Bytes, opcode = 0xf1): Bytes {
  const value = opcode === 0xf1 || opcode === 0xf2 ? code(0x34) : code();
  return code(
    0x36, push(0), push(0), 0x37,
    push(0), push(0), 0x36, push(0), value, push(to), 0x5a, opcode,
    push(0), 0x52, 0x3d, push(0), push(32), 0x3e, 0x3d, push(32), 0x01, push(0), 0xf3,
  ); // prettier-ignore
}

function direct(to: Bytes, input: Bytes, value = 0n, gasLimit = 1_000_000n): TransactionOutput {
  return runOne(aState(), { to, input, value, gasLimit, context: { pubdataPrice: 0n } }).output;
}

describe('system hooks (execution 10, native 6.4)', () => {
  describe('messenger 0x8008', () => {
    const message = asBuffer(fromHex('aa'.repeat(40)));

    it('sends a message, a log and an event, and returns the hash', () => {
      const { output, block } = runOne(aState(), { to: MESSENGER, input: sendToL1(message), gasLimit: 1_000_000n });
      const hash = keccak256(message);
      assert.equal(output.success, true);
      assert.deepEqual(output.returnData, hash);
      assert.deepEqual(
        output.messages.map((m) => [toHex(m.sender), toHex(m.data)]),
        [[toHex(SENDER), toHex(message)]],
      );
      assert.deepEqual(output.l2ToL1Logs, [
        { shardId: 0, isService: true, txNumberInBlock: 0, sender: MESSENGER, key: padAddress(SENDER), value: hash },
      ]);
      const [event] = output.logs;
      assert.equal(output.logs.length, 1);
      assert.deepEqual(event?.address, MESSENGER);
      assert.deepEqual(event?.topics.map(toHex), [
        '0x3a36e47291f4201faf137fab081d92295bce2d53be2c6ca68ba82c7faa9ce241',
        toHex(padAddress(SENDER)),
        toHex(hash),
      ]);
      assert.deepEqual(event?.data, sendToL1(message).slice(4));
      const pubdata = decodePubdata(block.pubdata);
      assert.equal(pubdata.l2ToL1Logs.length, 1);
      assert.deepEqual(pubdata.messages.map(toHex), [toHex(message)]);
      assert.ok(output.pubdataUsed >= BigInt(4 + message.length + 88));
    });

    it('costs 10 ergs and keccak when sent straight, LOG3 on top from a contract', () => {
      const input = sendToL1(message);
      const calldata = 21_000n + [...input].reduce((sum, byte) => sum + (byte === 0 ? 4n : 16n), 0n);
      const plain = direct(anAddress(0x99), input);
      const sent = direct(MESSENGER, input);
      const keccak = 30n + 12n;
      assert.equal(sent.gasUsed, calldata + keccak + 1n, 'ten ergs round up to a gas');
      assert.equal(sent.nativeUsed - plain.nativeUsed, 86_000n + 20_000n + 80n + 20_000n + 6_600n + 2n * 128n);

      const viaContract = runOne(aState(forwarder(MESSENGER)), { input, context: { pubdataPrice: 0n } }).output;
      const viaOther = runOne(aState(forwarder(anAddress(0x99))), { input, context: { pubdataPrice: 0n } }).output;
      // The forwarder copies 32 bytes of return data more: 3 gas of copying, 3 of memory at most.
      const extra = viaContract.gasUsed - viaOther.gasUsed - keccak - (375n * 4n + 8n * 128n) - 1n;
      assert.ok(extra >= 0n && extra <= 6n, `${extra}`);
      assert.equal(viaContract.messages[0]?.sender.length, 20);
      assert.deepEqual(viaContract.messages[0]?.sender, CONTRACT);
    });

    it('ergs of several calls add up before they are rounded', () => {
      // Unknown selector: reverts, keeps the gas. 26 calls: 260 ergs.
      const call = code(push(0), push(0), push(0), push(0), push(0), push(MESSENGER), 0x5a, 0xf1, 0x50);
      const other = code(push(0), push(0), push(0), push(0), push(0), push(anAddress(0x99)), 0x5a, 0xf1, 0x50);
      const gas = (body: Bytes, times: number): bigint =>
        runOne(aState(concatBytes(...Array.from({ length: times }, () => body))), { context: { pubdataPrice: 0n } })
          .output.gasUsed;
      assert.equal(gas(call, 1) - gas(other, 1), 1n);
      assert.equal(gas(call, 25) - gas(other, 25), 1n);
      assert.equal(gas(call, 26) - gas(other, 26), 2n);
    });

    it('refuses bad input and keeps the gas', () => {
      const bad: readonly Bytes[] = [
        new Uint8Array(0),
        fromHex('12345678'),
        sendToL1(message, 64),
        sendToL1(message).slice(0, -1),
        sendToL1(message).slice(0, -32),
        concatBytes(fromHex('62f84b24'), aWord(32)),
        concatBytes(fromHex('62f84b24'), aWord(32), aWord(1n << 40n)),
      ];
      for (const input of bad) {
        const output = direct(MESSENGER, input);
        assert.equal(output.success, false);
        assert.ok(output.gasUsed < 30_000n);
        assert.equal(output.returnData.length, 0);
        assert.equal(output.messages.length, 0);
      }
      assert.equal(direct(MESSENGER, sendToL1(new Uint8Array(0))).success, true, 'an empty message is a message');
    });

    it('refuses value, static calls, delegatecall and callcode', () => {
      assert.equal(direct(MESSENGER, sendToL1(message), 1n).success, false);
      for (const opcode of [0xfa, 0xf4, 0xf2]) {
        const { output } = runOne(aState(forwarder(MESSENGER, opcode)), { input: sendToL1(message) });
        assert.equal(bytesToBigInt(output.returnData), 0n, `opcode ${opcode}`);
        assert.equal(output.messages.length, 0);
        assert.ok(output.gasUsed < 60_000n);
      }
    });

    it('out of gas takes all', () => {
      const input = sendToL1(message);
      const needed = direct(MESSENGER, input).gasUsed;
      const short = direct(MESSENGER, input, 0n, needed - 1n);
      assert.equal(short.success, false);
      assert.equal(short.gasUsed, needed - 1n);
      assert.equal(direct(MESSENGER, input, 0n, needed).success, true);
    });

    it('a message of a reverted frame is gone', () => {
      const revertAfter = concatBytes(forwarder(MESSENGER).slice(0, -3), code(push(0), 0xfd));
      const { output } = runOne(aState(revertAfter), { input: sendToL1(message) });
      assert.equal(output.success, false);
      assert.deepEqual([output.messages.length, output.l2ToL1Logs.length, output.logs.length], [0, 0, 0]);
    });
  });

  describe('base token 0x800a', () => {
    const receiver = anAddress(0x4ece1fe4);

    it('withdraw burns the value and sends the message of the token', () => {
      const state = aState();
      const { output, block } = runOne(state, {
        to: BASE_TOKEN,
        input: withdraw(receiver),
        value: 5n,
        gasLimit: 1_000_000n,
      });
      const data = concatBytes(fromHex('6c0960f9'), receiver, aWord(5));
      assert.equal(output.success, true);
      assert.equal(output.returnData.length, 0);
      assert.deepEqual(output.messages, [{ sender: BASE_TOKEN, data }]);
      assert.deepEqual(output.l2ToL1Logs[0]?.key, padAddress(BASE_TOKEN));
      assert.deepEqual(output.l2ToL1Logs[0]?.value, keccak256(data));
      assert.deepEqual(output.logs[0]?.data, concatBytes(aWord(32), aWord(56), right(data)));
      const before = state.record(SENDER).balance;
      state.apply(block);
      assert.equal(state.record(BASE_TOKEN).balance, 0n);
      assert.equal(before - state.record(SENDER).balance, 5n + output.gasUsed * 1_000n);
    });

    it('costs as the messenger with the sizes of the message, and the account', () => {
      const input = withdraw(receiver);
      const plain = direct(anAddress(0x99), input);
      const sent = direct(BASE_TOKEN, input);
      assert.equal(
        sent.nativeUsed - plain.nativeUsed,
        5_000n + 86_000n + 20_000n + 2n * 56n + 20_000n + 6_600n + 2n * 128n,
      );
      assert.equal(sent.gasUsed - plain.gasUsed, 30n + 12n + 1n);
      const viaContract = runOne(aState(forwarder(BASE_TOKEN)), { input, context: { pubdataPrice: 0n } }).output;
      const viaOther = runOne(aState(forwarder(anAddress(0x99))), { input, context: { pubdataPrice: 0n } }).output;
      assert.equal(viaContract.gasUsed - viaOther.gasUsed, 30n + 12n + 1n + 100n + 375n * 4n + 8n * 128n);
    });

    it('withdrawWithMessage adds the caller and the extra bytes; its offset is free', () => {
      const extra = fromHex('0102030405');
      const { output } = runOne(aState(), {
        to: BASE_TOKEN,
        input: withdrawWithMessage(receiver, extra),
        gasLimit: 1_000_000n,
      });
      const data = concatBytes(fromHex('6c0960f9'), receiver, aWord(0), SENDER, extra);
      assert.deepEqual(output.messages, [{ sender: BASE_TOKEN, data }], 'an amount of zero is allowed');
      // The bytes directly behind the head, without padding, at an odd offset.
      const odd = concatBytes(
        fromHex('84bc3eb0'),
        padAddress(receiver),
        aWord(65),
        Uint8Array.of(9),
        aWord(2),
        fromHex('0a0b'),
      );
      assert.deepEqual(direct(BASE_TOKEN, odd).messages[0]?.data.slice(-2), fromHex('0a0b'));
      const outside = concatBytes(fromHex('84bc3eb0'), padAddress(receiver), aWord(64), aWord(3), fromHex('0a0b'));
      assert.equal(direct(BASE_TOKEN, outside).success, false);
      // Two words suffice: an offset of 0 takes the receiver, who is nobody, for the length.
      const nobody = concatBytes(fromHex('84bc3eb0'), aWord(0));
      assert.equal(direct(BASE_TOKEN, concatBytes(nobody, aWord(0))).success, true);
      assert.equal(direct(BASE_TOKEN, nobody).success, false);
    });

    it('the event of a withdrawal carries the message as an ABI argument', () => {
      const { logs } = direct(BASE_TOKEN, withdraw(receiver));
      const data = concatBytes(fromHex('6c0960f9'), receiver, aWord(0));
      assert.deepEqual(logs[0]?.data, concatBytes(aWord(32), aWord(56), right(data)));
    });

    it('refuses short input and dirty addresses, and gives the value back', () => {
      const dirty = withdraw(receiver);
      dirty[4] = 1;
      const dirtyToo = withdrawWithMessage(receiver, fromHex('01'));
      dirtyToo[4] = 1;
      for (const input of [dirty, dirtyToo, withdraw(receiver).slice(0, 35), fromHex('00'), new Uint8Array(0)]) {
        const state = aState();
        const { output, block } = runOne(state, { to: BASE_TOKEN, input, value: 5n });
        assert.equal(output.success, false);
        state.apply(block);
        assert.equal(state.record(BASE_TOKEN).balance, 0n);
      }
      assert.equal(
        direct(BASE_TOKEN, concatBytes(withdraw(receiver), fromHex('ff'))).success,
        true,
        'what follows is ignored',
      );
    });
  });

  describe('deployer 0x8006', () => {
    const target = anAddress(0x10002);
    const raw = code(push(3), 0x56, 0x5b, 0x00);
    const observable = keccak256(raw);

    const details = (hash: Bytes, length = raw.length, address: Bytes = padAddress(target)): Bytes =>
      concatBytes(fromHex('f6eca0b0'), address, hash, aWord(length), observable);

    function asUpgrader(state: TestState, input: Bytes): { output: TransactionOutput; pubdata: Bytes } {
      const execution = new BlockExecution({ context: aBlockContext(), state });
      const transaction = anL1Transaction({ initiator: UPGRADER, to: DEPLOYER, input, gasLimit: 10_000_000n });
      const output = included(drive(execution, state, { transaction, sender: UPGRADER }));
      const block = execution.finish();
      state.apply(block);
      return { output, pubdata: block.pubdata };
    }

    it('stores the code in its deployed form and leaves it out of the pubdata', () => {
      const state = new TestState().put(target, { balance: 7n, nonce: 2n });
      const { output, pubdata } = asUpgrader(state, details(state.putRawCode(raw)));
      assert.equal(output.success, true);
      const record = state.record(target);
      assert.deepEqual(record.versioning, fromHex('0101010000000000'));
      assert.deepEqual(record.bytecodeHash, blake2s256(storedCode(raw)));
      assert.deepEqual(record.observableBytecodeHash, observable);
      assert.deepEqual([record.unpaddedCodeLength, record.observableBytecodeLength, record.artifactsLength], [5, 5, 8]);
      assert.deepEqual([record.balance, record.nonce], [7n, 2n]);
      assert.deepEqual(state.preimages.get(Buffer.from(record.bytecodeHash).toString('latin1')), storedCode(raw));
      const account = decodePubdata(pubdata).diffs.find((diff) => diff.kind === 'account' && diff.code !== undefined);
      assert.equal(account?.kind === 'account' && account.code?.kind, 'hash');
    });

    it('takes the fourth word for the observable hash, whatever follows', () => {
      const state = new TestState();
      const input = concatBytes(details(state.putRawCode(raw)), aWord(7));
      assert.equal(asUpgrader(state, input).output.success, true);
      assert.deepEqual(state.record(target).observableBytecodeHash, observable);
      assert.equal(state.record(target).observableBytecodeLength, raw.length);
    });

    it('refuses other callers, selectors, lengths and addresses', () => {
      const state = new TestState();
      const hash = state.putRawCode(raw);
      assert.equal(direct(DEPLOYER, details(hash)).success, false);
      assert.equal(asUpgrader(state, concatBytes(fromHex('3cda3351'), details(hash).slice(4))).output.success, false);
      assert.equal(asUpgrader(state, details(hash, 24_577)).output.success, false);
      assert.equal(asUpgrader(state, details(hash, 5, aWord(-1n))).output.success, false);
      assert.equal(asUpgrader(state, details(hash).slice(0, -1)).output.success, false);
    });

    it('an unknown preimage stops the node', () => {
      const state = new TestState();
      assert.throws(
        () => asUpgrader(state, details(aWord(1))),
        (error) => error instanceof NodeError && error.kind === 'invariant' && error.code === 'VM_PREIMAGE_UNKNOWN',
      );
    });

    it('the deployed code runs in the same block', () => {
      const state = new TestState().put(SENDER, { balance: ETHER });
      const runtime = code(push(0xab), push(0), 0x52, push(32), push(0), 0xf3);
      const hash = state.putRawCode(runtime);
      const execution = new BlockExecution({ context: aBlockContext(), state });
      const input = concatBytes(
        fromHex('f6eca0b0'),
        padAddress(target),
        hash,
        aWord(runtime.length),
        keccak256(runtime),
      );
      const transaction = anL1Transaction({ initiator: UPGRADER, to: DEPLOYER, input, gasLimit: 10_000_000n });
      included(drive(execution, state, { transaction, sender: UPGRADER }));
      const output = included(drive(execution, state, from(SENDER, { to: target, gasLimit: 100_000n })));
      assert.equal(bytesToBigInt(output.returnData), 0xabn);
    });
  });

  it('other system addresses are ordinary', () => {
    for (const address of [0x8001, 0x8002, 0x8003, 0x8004, 0x8007, 0x8009, 0x800b]) {
      assert.equal(direct(anAddress(address), fromHex('62f84b24'), 1n).success, true);
    }
  });
});
