import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { ripemd160 as nobleRipemd160 } from '@noble/hashes/legacy.js';
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';
import fc from 'fast-check';
import { concatBytes, toHex } from '../../../src/common/bytes.ts';
import { identity, ripemd160, sha256 } from '../../../src/vm/precompiles/hashes.ts';

const PLENTY = 1e12;
const ascii = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));

describe('hash precompiles', () => {
  it('answer the published test values', () => {
    assert.deepEqual(sha256.run(ascii('abc'), PLENTY, PLENTY), {
      kind: 'success',
      output: new Uint8Array(Buffer.from('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad', 'hex')),
      gas: 72,
      native: 5_800,
    });
    assert.deepEqual(ripemd160.run(new Uint8Array(0), PLENTY, PLENTY), {
      kind: 'success',
      output: new Uint8Array(Buffer.from(`${'00'.repeat(12)}9c1185a5c5e9fc54612808977ee8f548b2258d31`, 'hex')),
      gas: 600,
      native: 5_800,
    });
  });

  it('agree with noble and with the streaming interface of node', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (input) => {
        const sha = sha256.run(input, PLENTY, PLENTY);
        const ripemd = ripemd160.run(input, PLENTY, PLENTY);
        const same = identity.run(input, PLENTY, PLENTY);
        assert(sha.kind === 'success' && ripemd.kind === 'success' && same.kind === 'success');
        assert.equal(toHex(sha.output), toHex(nobleSha256(input)));
        assert.equal(toHex(sha.output), `0x${createHash('sha256').update(input).digest('hex')}`);
        assert.equal(toHex(ripemd.output), toHex(concatBytes(new Uint8Array(12), nobleRipemd160(input))));
        assert.equal(toHex(same.output), toHex(input));
        const inputWords = Math.ceil(input.length / 32);
        assert.equal(sha.gas, 60 + 12 * inputWords);
        assert.equal(ripemd.gas, 600 + 120 * inputWords);
        assert.equal(same.gas, 15 + 3 * inputWords);
        assert.equal(same.native, 20 + 10 * input.length);
        // rounds = 64-byte blocks of the message, its 0x80 byte and its 8-byte length
        assert.equal(sha.native, 1_600 + 4_200 * Math.ceil((input.length + 9) / 64));
        assert.equal(ripemd.native, sha.native);
      }),
    );
  });

  it('take a round for each 64 bytes of input, 0x80 byte and length', () => {
    for (let length = 0; length <= 300; length += 1) {
      const input = new Uint8Array(length);
      const natives = [sha256, ripemd160].map((hash) => hash.run(input, PLENTY, PLENTY));
      for (const result of natives) {
        assert(result.kind === 'success');
        assert.equal(result.native, 1_600 + 4_200 * Math.ceil((length + 9) / 64), `${length} bytes`);
      }
    }
  });

  it('give outputs that own their memory', () => {
    const input = Buffer.from('reprise');
    const result = identity.run(input, PLENTY, PLENTY);
    assert(result.kind === 'success');
    input[0] = 0;
    assert.equal(Buffer.from(result.output).toString(), 'reprise');
    const hashed = sha256.run(input, PLENTY, PLENTY);
    assert(hashed.kind === 'success');
    assert.equal(hashed.output.buffer.byteLength, 32);
  });

  it('end the transaction when native is short, even if gas is short too, and charge native when only gas is', () => {
    assert.deepEqual(sha256.run(new Uint8Array(0), 0, 5_799), { kind: 'outOfNative' });
    assert.deepEqual(sha256.run(new Uint8Array(0), 60 * 256 - 1, 5_800), { kind: 'failure', native: 5_800 });
    assert.equal(sha256.run(new Uint8Array(0), 60 * 256, 5_800).kind, 'success');
    assert.deepEqual(identity.run(new Uint8Array(33), 21 * 256 - 1, 350), { kind: 'failure', native: 350 });
  });
});
