import assert from 'node:assert/strict';
import { CHARGED, Meter, OUT_OF_GAS, OUT_OF_NATIVE } from '../../src/vm/meter.ts';

function aMeter(gas: number, native: number, fraction = 0): Meter {
  return Object.assign(new Meter(), { gas, native, fraction });
}

const left = ({ gas, fraction, native }: Meter): number[] => [gas, fraction, native];

describe('meter (native 1)', () => {
  it('a charge takes both', () => {
    const meter = aMeter(100, 100);
    assert.equal(meter.charge(100, 100), CHARGED);
    assert.deepEqual(left(meter), [0, 0, 0]);
  });

  it('short native is fatal, also when gas is short, and leaves none', () => {
    const meter = aMeter(10, 99, 5);
    assert.equal(meter.charge(11, 100), OUT_OF_NATIVE);
    assert.equal(meter.native, 0);
  });

  it('short gas is an ordinary failure: gas and ergs are gone, the native stays charged', () => {
    const meter = aMeter(10, 100, 255);
    assert.equal(meter.charge(11, 60), OUT_OF_GAS);
    assert.deepEqual(left(meter), [0, 0, 40]);
  });

  it('256 ergs are a gas: single ergs borrow from it and add up to it', () => {
    const meter = aMeter(2, 0);
    assert.equal(meter.chargeErgs(10), CHARGED);
    assert.deepEqual(left(meter), [1, 246, 0]);
    assert.equal(meter.chargeErgs(246), CHARGED);
    assert.deepEqual(left(meter), [1, 0, 0]);
    assert.equal(meter.chargeErgs(256), CHARGED);
    assert.equal(meter.chargeErgs(1), OUT_OF_GAS);
    meter.give(3, 200);
    meter.give(1, 56);
    assert.deepEqual(left(meter), [5, 0, 0]);
  });

  it('a failed frame keeps native alone', () => {
    const meter = aMeter(7, 8, 9);
    meter.burnGas();
    assert.deepEqual(left(meter), [0, 0, 8]);
  });
});
