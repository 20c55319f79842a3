import assert from 'node:assert/strict';
import fc from 'fast-check';
import { RequestScanner } from '../../src/rpc/requestScanner.ts';

const LIMITS = { maxDepth: 8, maxBatchEntries: 3, maxValues: 100 };

function scan(text: string, chunkLength = text.length): { scanner: RequestScanner; body: Buffer } {
  const body = Buffer.from(text);
  const scanner = new RequestScanner(LIMITS);
  for (let at = 0; at < body.length; at += chunkLength) scanner.write(body.subarray(at, at + chunkLength));
  return { scanner, body };
}

function ids(text: string, count: number, chunkLength?: number): (string | undefined)[] {
  const { scanner, body } = scan(text, chunkLength);
  return Array.from({ length: count }, (_, entry) => scanner.idText(body, entry));
}

describe('requestScanner', () => {
  it('finds the id of a single request as it is written', () => {
    for (const written of [
      '1',
      '1152921504606846976',
      '1.0',
      '-0',
      '1e3',
      '"a\\u0062\\"c"',
      'null',
      '{"id":5}',
      '[1,{"id":2}]',
    ]) {
      for (const text of [`{"id":${written},"method":"m"}`, ` { "method" : "m" , "id" : ${written} } `]) {
        assert.deepEqual(ids(text, 1), [written], text);
      }
    }
  });

  it('looks at the top level only and takes the last of several', () => {
    assert.deepEqual(ids('{"params":[{"id":7}],"x":{"id":8},"id":9}', 1), ['9']);
    assert.deepEqual(ids('{"id":1,"id":2}', 1), ['2']);
    assert.deepEqual(ids('{"method":"id","x":"id"}', 1), [undefined]);
    assert.deepEqual(ids('{"ids":1,"i":2,"idd":3}', 1), [undefined]);
  });

  it('finds the ids of a batch by position', () => {
    assert.deepEqual(ids('[{"id":1},3,{"a":[1,2],"id":"x"}]', 3), ['1', undefined, '"x"']);
    assert.deepEqual(ids('[[{"id":1}],{"id":2}]', 2), [undefined, '2']);
  });

  it('measures each entry as it is written', () => {
    const entries = ['{"id":1, "params":[{"a":"}"}]}', '{}', '{"method":"é"}'];
    for (const chunkLength of [1, 7, 1_000]) {
      const { scanner } = scan(`[${entries.join(' , ')}]`, chunkLength);
      entries.forEach((entry, index) => assert.equal(scanner.entryBytes(index), Buffer.byteLength(entry)));
      assert.equal(scan(` ${entries[0]} `, chunkLength).scanner.entryBytes(0), entries[0]?.length);
    }
    assert.equal(scan('[1,{}]').scanner.entryBytes(0), undefined);
    assert.equal(scan('[1,{}]').scanner.entryBytes(1), 2);
  });

  it('gives the same answer for every split into chunks', () => {
    const text = '[{"id":1152921504606846976,"p":"a\\\\\\"}],{"},{"id": "é\\n" ,"params":[{"id":3}]}]';
    const whole = ids(text, 2);
    assert.deepEqual(whole, ['1152921504606846976', '"é\\n"']);
    for (let length = 1; length < text.length; length++) assert.deepEqual(ids(text, 2, length), whole);
  });

  it('echoes what JSON.stringify wrote, for any id', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true })),
        fc.jsonValue({ maxDepth: 2 }),
        (id, other) => {
          const scanner = new RequestScanner({ maxDepth: 100, maxBatchEntries: 100, maxValues: 100_000 });
          const body = Buffer.from(
            JSON.stringify([
              { params: other, id },
              { id, x: other },
            ]),
          );
          scanner.write(body);
          assert.equal(scanner.idText(body, 0), JSON.stringify(id));
          assert.equal(scanner.idText(body, 1), JSON.stringify(id));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('stops at too deep nesting, too many entries and too many values', () => {
    assert.equal(scan('['.repeat(8)).scanner.failure, undefined);
    assert.equal(scan('['.repeat(9)).scanner.failure, 'depth');
    assert.equal(scan(`{"a":${'{"a":'.repeat(8)}`).scanner.failure, 'depth');
    assert.equal(scan(`"${'['.repeat(50)}"`).scanner.failure, undefined);
    assert.equal(scan('[1,2,3]').scanner.failure, undefined);
    assert.equal(scan('[1,2,3,4]').scanner.failure, 'batch');
    assert.equal(scan('{"a":[1,2,3,4]}').scanner.failure, undefined);
    assert.equal(scan(`{"a":[${'1,'.repeat(120)}1]}`).scanner.failure, 'values');
  });
});
