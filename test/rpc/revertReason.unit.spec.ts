import assert from 'node:assert/strict';
import { encodeErrorResult, parseAbi } from 'viem';
import { fromHex, toHex } from '../../src/common/bytes.ts';
import { revertError, revertReason } from '../../src/rpc/revertReason.ts';

const ABI = parseAbi(['error Error(string)', 'error Panic(uint256)', 'error ERC20InvalidSender(address sender)']);

describe('revertReason', () => {
  it('reads Error(string), Panic(uint256) and standard errors', () => {
    const text = fromHex(encodeErrorResult({ abi: ABI, errorName: 'Error', args: ['my message'] }));
    assert.equal(revertReason(text), 'my message');
    const panic = (code: bigint) =>
      revertReason(fromHex(encodeErrorResult({ abi: ABI, errorName: 'Panic', args: [code] })));
    assert.equal(panic(1n), 'assert(false)');
    assert.equal(panic(0x11n), 'arithmetic underflow or overflow');
    assert.equal(panic(0x99n), 'unknown panic code: 0x99');
    const address = '0x00000000000000000000000000000000000000eE';
    const standard = fromHex(encodeErrorResult({ abi: ABI, errorName: 'ERC20InvalidSender', args: [address] }));
    assert.equal(revertReason(standard), `ERC20InvalidSender(${address})`);
  });

  it('says nothing about other, short and broken outputs', () => {
    for (const output of [
      '0x',
      '0x08c379',
      '0xc2bb947c',
      '0x08c379a0',
      `0x08c379a0${'ff'.repeat(64)}`,
      '0x4e487b7101',
    ]) {
      assert.equal(revertReason(fromHex(output)), undefined, output);
    }
    assert.equal(revertReason(new Uint8Array(1_000_000).fill(8)), undefined);
  });

  it('makes errors of code 3, with data only when there is output (C4)', () => {
    const shown = (output: string) => {
      const { rpcCode, message, data } = revertError(fromHex(output));
      return { rpcCode, message, data };
    };
    assert.deepEqual(shown('0xc2bb947c'), { rpcCode: 3, message: 'execution reverted', data: '0xc2bb947c' });
    const text = encodeErrorResult({ abi: ABI, errorName: 'Error', args: ['my message'] });
    assert.deepEqual(shown(text), { rpcCode: 3, message: 'execution reverted: my message', data: text });
    assert.ok(toHex(fromHex(text)).startsWith('0x08c379a0'));
    assert.deepEqual(shown('0x'), { rpcCode: 3, message: 'execution reverted', data: undefined });
    const empty = encodeErrorResult({ abi: ABI, errorName: 'Error', args: [''] });
    assert.equal(shown(empty).message, 'execution reverted');
    assert.equal('data' in revertError(new Uint8Array(0)).facts, false);
  });
});
