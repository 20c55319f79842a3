/** The two counters of execution: gas of the running frame and native of the transaction (spec: native 1). */
import { ERGS_PER_GAS } from './gasCosts.ts';

/** Answers of everything that charges. */
export const CHARGED = 0;
/** Of the running frame: an ordinary EVM failure. */
export const OUT_OF_GAS = 1;
/** Native is short: the whole transaction fails. */
export const OUT_OF_NATIVE = 2;
export type Charge = typeof CHARGED | typeof OUT_OF_GAS | typeof OUT_OF_NATIVE;

export class Meter {
  // In a typed array: a field would box every number beyond 31 bits.
  readonly #counters = new Float64Array(2);

  /** Whole gas left of the running frame. */
  get gas(): number {
    return this.#counters[0]!;
  }

  set gas(gas: number) {
    this.#counters[0] = gas;
  }

  /** Ergs left beyond the whole gas, 0..255: all charges but those of system hooks are whole gas. */
  fraction = 0;
  get native(): number {
    return this.#counters[1]!;
  }

  set native(native: number) {
    this.#counters[1] = native;
  }

  /** One charge: native first, and short native is fatal even when gas is short too. */
  charge(gas: number, native: number): Charge {
    if (native > this.native) {
      this.native = 0;
      return OUT_OF_NATIVE;
    }
    this.native -= native;
    if (gas > this.gas) {
      this.gas = 0;
      this.fraction = 0;
      return OUT_OF_GAS;
    }
    this.gas -= gas;
    return CHARGED;
  }

  /** A charge of single ergs without native. */
  chargeErgs(ergs: number): Charge {
    const fraction = this.fraction - ergs;
    if (fraction >= 0) {
      this.fraction = fraction;
      return CHARGED;
    }
    if (this.gas === 0) {
      this.fraction = 0;
      return OUT_OF_GAS;
    }
    this.gas -= 1;
    this.fraction = fraction + ERGS_PER_GAS;
    return CHARGED;
  }

  /** What a failed frame keeps: native only. */
  burnGas(): void {
    this.gas = 0;
    this.fraction = 0;
  }

  /** Adds what a finished call left over. */
  give(gas: number, fraction: number): void {
    const sum = this.fraction + fraction;
    this.fraction = sum & (ERGS_PER_GAS - 1);
    this.gas += gas + (sum >= ERGS_PER_GAS ? 1 : 0);
  }
}
