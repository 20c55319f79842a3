import assert from 'node:assert/strict';
import { precompileAt } from '../../../src/vm/precompiles/index.ts';

function address(last: number, first = 0): Uint8Array {
  const bytes = new Uint8Array(20);
  bytes[0] = first;
  bytes[19] = last;
  return bytes;
}

describe('precompileAt', () => {
  it('knows 0x01 to 0x0a and nothing else', () => {
    for (let n = 1; n <= 10; n++) assert.notEqual(precompileAt(address(n)), undefined, `address ${n}`);
    for (const n of [0, 11, 100, 255]) assert.equal(precompileAt(address(n)), undefined, `address ${n}`);
    assert.equal(precompileAt(address(1, 1)), undefined);
    const p256 = new Uint8Array(20);
    p256[18] = 1;
    assert.equal(precompileAt(p256), undefined);
    p256[19] = 4;
    assert.equal(precompileAt(p256), undefined);
  });

  it('gives each address its function', () => {
    const gas = Array.from({ length: 8 }, (_, i) => {
      const result = precompileAt(address(i + 1))?.run(new Uint8Array(0), 1e12, 1e12);
      return result?.kind === 'success' ? result.gas : undefined;
    });
    assert.deepEqual(gas, [3_000, 60, 600, 15, 200, 150, 6_000, 45_000]);
  });

  it('has stubs at 9 and 0x0a that accept only the right length, for nothing', () => {
    for (const [n, length] of [
      [9, 213],
      [10, 193],
    ] as const) {
      const stub = precompileAt(address(n));
      assert.deepEqual(stub?.run(new Uint8Array(length), 0, 0), {
        kind: 'success',
        output: new Uint8Array(0),
        gas: 0,
        native: 0,
      });
      for (const wrong of [0, length - 1, length + 1]) {
        assert.deepEqual(stub?.run(new Uint8Array(wrong), 1e9, 1e9), { kind: 'failure', native: 0 });
      }
    }
  });
});
