import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import { type Socket, connect } from 'node:net';
import { once } from 'node:events';
import { NodeError } from '../../src/common/errors.ts';
import { RpcError } from '../../src/rpc/errors.ts';
import { until } from '../support/nodeProcess.ts';
import type { Answer, TestServer } from './fakeBackend.ts';
import { FakeChain, startTestServer } from './fakeBackend.ts';
import { l2Transaction } from './samples.ts';

const CHAIN_ID_CALL = '{"jsonrpc":"2.0","id":1,"method":"eth_chainId"}';
const CHAIN_ID_REPLY = '{"jsonrpc":"2.0","id":1,"result":"0x10e"}';

async function raw(
  url: string,
  body: string,
  init: RequestInit = {},
): Promise<{ status: number; text: string; headers: Headers }> {
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body, ...init });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

function errorText(code: number, message: string, extra = ''): string {
  return `{"jsonrpc":"2.0","id":null,"error":{"code":${code},"message":"${message}"${extra}}}`;
}

describe('rpc server', () => {
  const open: TestServer[] = [];
  let chain: FakeChain;
  let test: TestServer;

  async function start(options: Parameters<typeof startTestServer>[1] = {}): Promise<TestServer> {
    const started = await startTestServer(chain, options);
    open.push(started);
    return started;
  }

  beforeEach(async () => {
    chain = new FakeChain();
    test = await start();
  });

  afterEach(async () => {
    await Promise.all(open.splice(0).map(({ server }) => server.close({ timeoutMs: 500 })));
  });

  describe('transport', () => {
    it('answers a POST on any path', async () => {
      for (const path of ['', '/', '/rpc/v1?x=1']) {
        const { status, text, headers } = await raw(`${test.url}${path}`, CHAIN_ID_CALL);
        assert.equal(status, 200);
        assert.equal(text, CHAIN_ID_REPLY);
        assert.match(headers.get('content-type') ?? '', /^application\/json/);
        assert.equal(headers.get('access-control-allow-origin'), '*');
      }
    });

    it('refuses other verbs with 405 and a short text', async () => {
      for (const method of ['GET', 'PUT', 'DELETE']) {
        const response = await fetch(test.url, { method });
        assert.equal(response.status, 405);
        assert.equal(response.headers.get('allow'), 'POST');
        assert.match(await response.text(), /POST/);
      }
    });

    it('answers preflights of browsers', async () => {
      const response = await fetch(test.url, {
        method: 'OPTIONS',
        headers: { origin: 'http://localhost:5100', 'access-control-request-method': 'POST' },
      });
      assert.equal(response.status, 204);
      assert.equal(response.headers.get('access-control-allow-origin'), '*');
      assert.equal(response.headers.get('access-control-allow-methods'), 'POST');
      assert.equal(response.headers.get('access-control-allow-headers'), 'content-type');
      assert.equal(response.headers.get('access-control-allow-credentials'), null);
    });

    it('refuses other content types with 415', async () => {
      for (const type of ['text/plain', 'application/json-rpc', 'application/jsonx', 'multipart/form-data']) {
        assert.equal((await raw(test.url, CHAIN_ID_CALL, { headers: { 'content-type': type } })).status, 415, type);
      }
      for (const type of ['application/json; charset=utf-8', 'Application/JSON']) {
        assert.equal(
          (await raw(test.url, CHAIN_ID_CALL, { headers: { 'content-type': type } })).text,
          CHAIN_ID_REPLY,
          type,
        );
      }
    });

    it('refuses a body above the limit, announced or not, and goes on', async () => {
      const small = await start({ maxRequestBytes: 1_000 });
      const body = `{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":["${'a'.repeat(1_000)}"]}`;
      const expected = errorText(-32007, 'Request is too big', ',"data":"Exceeded max limit of 1000"');
      const announced = await raw(small.url, body);
      assert.equal(announced.status, 413);
      assert.equal(announced.text, expected);
      const chunked = await fetch(small.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: new Blob([body]).stream(),
        duplex: 'half',
      });
      assert.equal(chunked.status, 413);
      assert.equal(await chunked.text(), expected);
      assert.deepEqual(small.counted.rejected, ['size', 'size']);
      assert.equal((await raw(small.url, CHAIN_ID_CALL)).text, CHAIN_ID_REPLY);
    });

    it('cuts a client that does not stop sending', async () => {
      const small = await start({ maxRequestBytes: 1_000 });
      const socket = connect(small.server.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write('POST / HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 100000000\r\n\r\n');
      const closed = new Promise((resolve) => socket.on('close', resolve));
      const chunk = Buffer.alloc(65_536, 'a');
      const send = (): void => {
        while (!socket.destroyed && socket.write(chunk));
      };
      socket.on('drain', send);
      socket.resume();
      send();
      await closed;
      assert.equal((await raw(small.url, CHAIN_ID_CALL)).text, CHAIN_ID_REPLY);
    });

    it('cuts a client that does not take its answer, and serves one that takes it slowly', async () => {
      for (let i = 0; i < 20; i++) {
        const log = { address: new Uint8Array(20), topics: [], data: new Uint8Array(500_000) };
        chain.addBlock([l2Transaction('0x2', { logs: [log] })]);
      }
      const impatient = await start({ stallLimitMs: 1_000, maxConnections: 2 });
      const range = { fromBlock: '0x1', toBlock: '0x14' };
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_getLogs', params: [range] });
      const ask = (): Socket => {
        const socket = connect(impatient.server.port, '127.0.0.1');
        socket.on('error', () => undefined);
        socket.write(
          `POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
        );
        return socket;
      };
      const [stuck, slow] = [ask().pause(), ask()];
      let taken = 0;
      slow.on('data', (chunk: Buffer) => {
        taken += chunk.length;
        slow.pause();
        setTimeout(() => slow.resume(), 5);
      });
      try {
        await until('room for another client', async () =>
          (await raw(impatient.url, CHAIN_ID_CALL)).status === 200 ? true : undefined,
        );
        let rest = 0;
        stuck.on('data', (chunk: Buffer) => (rest += chunk.length)).resume();
        await once(stuck, 'close');
        assert.ok(rest < 20_000_000, `${rest} bytes were still sent`);
        await until('the whole answer', () => (taken > 20_000_000 ? true : undefined), 40_000);
      } finally {
        for (const socket of [stuck, slow]) socket.destroy();
      }
    }).timeout(60_000);

    it('answers small requests while large bodies that never end fill what may be held', async () => {
      const small = await start({ maxRequestBytes: 256 * 1024 });
      const body = Buffer.alloc(256 * 1024 - 1, ' ');
      const endless = Array.from({ length: 20 }, () => {
        const socket = connect(small.server.port, '127.0.0.1');
        socket.on('error', () => undefined).resume();
        socket.write(
          `POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length + 1}\r\n\r\n`,
        );
        socket.write(body);
        return socket;
      });
      try {
        await until('a refusal', () => (small.counted.rejected.includes('busy') ? true : undefined));
        assert.equal((await raw(small.url, CHAIN_ID_CALL)).text, CHAIN_ID_REPLY);
        const large = await raw(small.url, `[${' '.repeat(200 * 1024)}${CHAIN_ID_CALL}]`);
        assert.equal(large.status, 503);
      } finally {
        for (const socket of endless) socket.destroy();
      }
    });

    it('answers a request that offers an upgrade to something else than a WebSocket', async () => {
      const socket = connect(test.server.port, '127.0.0.1');
      let text = '';
      socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
      // As Java's HTTP client and `curl --http2` ask.
      socket.write(
        `POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\nContent-Type: application/json\r\nContent-Length: ${CHAIN_ID_CALL.length}\r\n\r\n${CHAIN_ID_CALL}`,
      );
      await until('an answer', () => (text.includes('\r\n\r\n') ? true : undefined));
      socket.destroy();
      assert.match(text, /^HTTP\/1\.1 200 /);
      assert.ok(text.includes(CHAIN_ID_REPLY));
    });

    it('reads a body of several megabytes', async () => {
      const data = `0x${'ab'.repeat(3_000_000)}`;
      const answer = await test.call('web3_sha3', data);
      assert.match(String(answer.result), /^0x[0-9a-f]{64}$/);
    });

    it('answers a surplus connection 429', async () => {
      const limited = await start({ maxConnections: 2 });
      const held: Socket[] = [];
      for (let i = 0; i < 2; i++) {
        const socket = connect(limited.server.port, '127.0.0.1');
        await once(socket, 'connect');
        // A whole exchange makes sure that the server has seen this connection.
        socket.write(
          `POST / HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${CHAIN_ID_CALL.length}\r\n\r\n${CHAIN_ID_CALL}`,
        );
        await once(socket, 'data');
        held.push(socket);
      }
      const refused = await raw(limited.url, CHAIN_ID_CALL);
      assert.equal(refused.status, 429);
      assert.deepEqual(limited.counted.rejected, ['connections']);
      for (const socket of held) {
        socket.destroy();
        await once(socket, 'close');
      }
      const deadline = Date.now() + 2_000;
      let status = 429;
      while (status === 429 && Date.now() < deadline) status = (await raw(limited.url, CHAIN_ID_CALL)).status;
      assert.equal(status, 200);
    });

    it('survives a client that leaves in the middle of its body', async () => {
      const client = httpRequest(test.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'content-length': 1_000 },
      });
      client.on('error', () => {});
      client.write('{"jsonrpc":');
      await once(client, 'socket');
      client.destroy();
      assert.equal((await raw(test.url, CHAIN_ID_CALL)).text, CHAIN_ID_REPLY);
      assert.deepEqual(test.counted.internalErrors, []);
    });

    it('names the address that it cannot listen on', async () => {
      await assert.rejects(startTestServer(chain, { port: test.server.port }), (error: unknown) => {
        assert.ok(error instanceof NodeError);
        assert.equal(error.code, 'RPC_LISTEN_FAILED');
        assert.match(error.message, /127\.0\.0\.1/);
        return true;
      });
    });

    it('finishes what has begun when it closes, then takes nothing more', async () => {
      let release: () => void = () => {};
      const begun = new Promise<void>((started) => {
        chain.simulate = () => {
          started();
          return new Promise((resolve) => {
            release = () => resolve({ kind: 'success', returnData: Uint8Array.of(1), gasUsed: 0n, gas: 0n });
          });
        };
      });
      const answer = raw(test.url, '{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{}]}');
      await begun;
      const closed = test.server.close({ timeoutMs: 5_000 });
      release();
      const { text, headers } = await answer;
      assert.equal(text, '{"jsonrpc":"2.0","id":1,"result":"0x01"}');
      assert.equal(headers.get('connection'), 'close');
      await closed;
      await assert.rejects(fetch(test.url, { method: 'POST' }));
    });

    it('cuts what does not finish in time', async () => {
      const begun = new Promise<void>((started) => {
        chain.simulate = () => {
          started();
          return new Promise(() => {});
        };
      });
      const answer = raw(test.url, '{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{}]}');
      answer.catch(() => {});
      await begun;
      await test.server.close({ timeoutMs: 20 });
      await assert.rejects(answer);
    });
  });

  describe('envelope', () => {
    it('echoes ids as they are written', async () => {
      for (const id of [
        '1152921504606846976',
        '18446744073709551616123',
        '0',
        '-5',
        '1.50',
        '"x\\u0041"',
        '""',
        'null',
      ]) {
        const { text } = await raw(test.url, `{"method":"eth_chainId","id": ${id} ,"jsonrpc":"2.0"}`);
        assert.equal(text, `{"jsonrpc":"2.0","id":${id},"result":"0x10e"}`);
      }
    });

    it('answers what is no JSON with -32700', async () => {
      for (const body of [
        '',
        '{',
        '{"jsonrpc":"2.0","id":1,"method":"eth_chainId"',
        'nonsense',
        '{"a":1}}',
        "{'a':1}",
        '[1,]',
      ]) {
        const { status, text } = await raw(test.url, body);
        assert.equal(status, 200);
        assert.equal(text, errorText(-32700, 'Parse error'), body);
      }
      const response = await fetch(test.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: Buffer.concat([
          Buffer.from('{"jsonrpc":"2.0","id":"'),
          Buffer.of(0xff, 0xfe),
          Buffer.from('","method":"eth_chainId"}'),
        ]),
      });
      assert.equal(await response.text(), errorText(-32700, 'Parse error'));
    });

    it('answers deep nesting without falling over', async () => {
      const bodies = [
        '['.repeat(1_000_000),
        `{"jsonrpc":"2.0","id":1,"method":"eth_call","params":${'['.repeat(1_000)}${']'.repeat(1_000)}}`,
      ];
      for (const body of bodies) {
        const { text } = await raw(test.url, body);
        assert.equal(text, errorText(-32700, 'Parse error', ',"data":"nested deeper than 64 levels"'));
      }
    });

    it('bounds the number of values in one request', async () => {
      const { text } = await raw(
        test.url,
        `{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[${'1,'.repeat(600_000)}1]}`,
      );
      assert.equal((JSON.parse(text) as Answer).error?.code, -32007);
    });

    it('answers what is no request with -32600 and the id if there is one', async () => {
      const invalid = (id: string) =>
        `{"jsonrpc":"2.0","id":${id},"error":{"code":-32600,"message":"Invalid request"}}`;
      const rows: readonly (readonly [body: string, id: string])[] = [
        ['1', 'null'],
        ['"eth_chainId"', 'null'],
        ['null', 'null'],
        ['{}', 'null'],
        ['[]', 'null'],
        ['{"id":7}', '7'],
        ['{"jsonrpc":"1.0","id":7,"method":"eth_chainId"}', '7'],
        ['{"jsonrpc":2.0,"id":7,"method":"eth_chainId"}', '7'],
        ['{"id":7,"method":"eth_chainId"}', '7'],
        ['{"jsonrpc":"2.0","id":7}', '7'],
        ['{"jsonrpc":"2.0","id":7,"method":1}', '7'],
        ['{"jsonrpc":"2.0","id":{"a":1},"method":"eth_chainId"}', 'null'],
        ['{"jsonrpc":"2.0","id":true,"method":"eth_chainId"}', 'null'],
        ['{"jsonrpc":"2.0","id":[1],"method":"eth_chainId"}', 'null'],
      ];
      for (const [body, id] of rows) assert.equal((await raw(test.url, body)).text, invalid(id), body);
    });

    it('answers unknown methods and switched-off namespaces with -32601', async () => {
      for (const method of ['eth_nope', 'engine_newPayloadV1', 'constructor', '__proto__', 'toString', '']) {
        const { error } = await test.call(method);
        assert.equal(error?.code, -32601);
        assert.equal(error.message, `the method ${method} does not exist/is not available`);
      }
      assert.deepEqual(new Set(test.counted.calls.map(({ method }) => method)), new Set(['unknown']));
      const few = await start({ namespaces: ['eth'] });
      assert.equal((await few.call('net_version')).error?.code, -32601);
      assert.equal((await few.call('eth_chainId')).result, '0x10e');
      const long = (await test.call('x'.repeat(5_000))).error?.message ?? '';
      assert.ok(long.length < 200);
    });

    it('takes positional params, none, and null', async () => {
      for (const params of ['', ',"params":[]', ',"params":null', ',"params":[1,2,3]']) {
        assert.equal(
          (await raw(test.url, `{"jsonrpc":"2.0","id":1,"method":"eth_chainId"${params}}`)).text,
          CHAIN_ID_REPLY,
        );
      }
      for (const params of ['{"a":1}', '"a"', '5']) {
        const answer = (await test.post(
          `{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":${params}}`,
        )) as Answer;
        assert.equal(answer.error?.code, -32602);
      }
    });

    it('executes notifications and answers nothing', async () => {
      const { status, text } = await raw(
        test.url,
        '{"jsonrpc":"2.0","method":"eth_sendRawTransaction","params":["0x01"]}',
      );
      assert.equal(status, 200);
      assert.equal(text, '');
      assert.equal(chain.submitted.length, 1);
      assert.equal((await raw(test.url, '{"jsonrpc":"2.0","method":"nope"}')).text, '');
      const batch = await raw(test.url, `[${'{"jsonrpc":"2.0","method":"eth_chainId"},'.repeat(3).slice(0, -1)}]`);
      assert.equal(batch.status, 200);
      assert.equal(batch.text, '');
    });
  });

  describe('batch', () => {
    it('answers 100 mixed calls in order, one of them unknown (X11)', async () => {
      const methods = ['eth_chainId', 'net_version', 'eth_blockNumber', 'web3_clientVersion'];
      const calls = Array.from({ length: 100 }, (_, index) => ({
        jsonrpc: '2.0',
        id: index,
        method: index === 37 ? 'eth_unknown' : methods[index % methods.length],
        params: [],
      }));
      const answers = (await test.post(JSON.stringify(calls))) as Answer[];
      assert.deepEqual(
        answers.map(({ id }) => id),
        calls.map(({ id }) => id),
      );
      assert.equal(answers.filter(({ error }) => error === undefined).length, 99);
      assert.equal(answers[37]?.error?.code, -32601);
      assert.deepEqual(test.counted.batches, [100]);
      assert.deepEqual(test.counted.batchMethods, [
        { eth_chainId: 25, net_version: 24, eth_blockNumber: 25, web3_clientVersion: 25, unknown: 1 },
      ]);
      assert.deepEqual(
        test.counted.calls.map(({ requestBytes }) => requestBytes).sort(),
        calls.map((call) => JSON.stringify(call).length).sort(),
      );
    });

    it('keeps the order whatever finishes first', async () => {
      const waiting: (() => void)[] = [];
      chain.simulate = (call) =>
        new Promise((resolve) => {
          waiting.push(() => resolve({ kind: 'success', returnData: call.input, gasUsed: 0n, gas: 0n }));
          if (waiting.length === 4) for (const release of waiting.reverse()) release();
        });
      const calls = [1, 2, 3, 4].map((n) => ({
        jsonrpc: '2.0',
        id: n,
        method: 'eth_call',
        params: [{ data: `0x0${n}` }],
      }));
      const answers = (await test.post(JSON.stringify(calls))) as Answer[];
      assert.deepEqual(
        answers.map(({ result }) => result),
        ['0x01', '0x02', '0x03', '0x04'],
      );
    });

    it('answers invalid entries in their place and leaves notifications out', async () => {
      const { text } = await raw(
        test.url,
        `[1,{"jsonrpc":"2.0","method":"eth_chainId"},${CHAIN_ID_CALL},{"id":1152921504606846977}]`,
      );
      const invalid = (id: string) =>
        `{"jsonrpc":"2.0","id":${id},"error":{"code":-32600,"message":"Invalid request"}}`;
      assert.equal(text, `[${invalid('null')},${CHAIN_ID_REPLY},${invalid('1152921504606846977')}]`);
    });

    it('refuses a longer batch than allowed', async () => {
      const few = await start({ maxBatchEntries: 3 });
      const batch = (count: number) => `[${Array.from({ length: count }, () => CHAIN_ID_CALL).join(',')}]`;
      assert.equal(((await few.post(batch(3))) as Answer[]).length, 3);
      const { text } = await raw(few.url, batch(4));
      assert.equal(text, errorText(-32010, 'The batch request was too large', ',"data":"Exceeded max limit of 3"'));
    });

    it('answers one error when all answers together are too long', async () => {
      const small = await start({ maxResponseBytes: 200 });
      const { text } = await raw(small.url, `[${Array.from({ length: 10 }, () => CHAIN_ID_CALL).join(',')}]`);
      assert.equal(text, errorText(-32011, 'The batch response was too large', ',"data":"Exceeded max limit of 200"'));
    });
  });

  describe('failures', () => {
    it('answers a result above the limit with -32008', async () => {
      const small = await start({ maxResponseBytes: 200 });
      chain.simulate = async () => ({ kind: 'success', returnData: new Uint8Array(500), gasUsed: 0n, gas: 0n });
      const { error } = await small.call('eth_call', {});
      assert.deepEqual(error, { code: -32008, message: 'Response is too big', data: 'Exceeded max limit of 200' });
    });

    it('hides what went wrong inside and reports it', async () => {
      chain.simulate = () => Promise.reject(new Error('secret path /etc'));
      const { error } = await test.call('eth_call', {});
      assert.deepEqual(error, { code: -32603, message: 'Internal error' });
      assert.equal(test.counted.internalErrors.length, 1);
      assert.deepEqual(test.counted.calls.at(-1)?.code, -32603);
    });

    it('shows errors that crossed a thread as they were', async () => {
      const original = new RpcError(-32042, 'from afar', { data: '0x12' });
      chain.simulate = () => Promise.reject(new NodeError(original.kind, original.message, original.facts));
      const { error } = await test.call('eth_call', {});
      assert.deepEqual(error, { code: -32042, message: 'from afar', data: '0x12' });
    });
  });
});
