import assert from 'node:assert/strict';
import { toHex } from '../../src/common/bytes.ts';
import { readReplayRequest, replayRequest, u32Frame } from '../../src/protocol/replayTransport.ts';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

describe('replay transport', () => {
  it('asks with a request line, an empty line and the block in eight bytes', () => {
    const request = replayRequest(0x0102n);
    assert.deepEqual(request.subarray(0, -8), text('POST /block_replays HTTP/1.0\r\n\r\n'));
    assert.equal(toHex(request.subarray(-8)), '0x0000000000000102');
  });

  it('reads what it asks, however it is cut', () => {
    const request = replayRequest(2n ** 64n - 1n);
    for (let length = 0; length < request.length; length++)
      assert.equal(readReplayRequest(request.subarray(0, length)), undefined, `${length} bytes`);
    assert.equal(readReplayRequest(request), 2n ** 64n - 1n);
    assert.equal(readReplayRequest(new Uint8Array([...request, 1, 2, 3])), 2n ** 64n - 1n);
  });

  it('skips everything up to the first empty line, with either line ending', () => {
    const number = new Uint8Array([0, 0, 0, 0, 0, 0, 0, 7]);
    for (const head of ['POST / HTTP/1.1\r\nHost: x\r\nA: b\r\n\r\n', 'anything\n\n'])
      assert.equal(readReplayRequest(new Uint8Array([...text(head), ...number])), 7n, head);
  });

  it('gives up on a head without an end', () => {
    assert.equal(readReplayRequest(new Uint8Array(8_000).fill(0x41)), undefined);
    assert.throws(() => readReplayRequest(new Uint8Array(9_000).fill(0x41)), { code: 'REPLAY_REQUEST_MALFORMED' });
  });

  it('writes numbers with the most significant byte first', () => {
    assert.equal(toHex(u32Frame(0x01020304)), '0x01020304');
  });
});
