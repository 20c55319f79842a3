import assert from 'node:assert/strict';
import { fetchable, shownUrl, urlOfListener, withShownUrls } from '../../src/common/urls.ts';

describe('URLs', () => {
  it('are shown without what may be a key', () => {
    assert.equal(shownUrl('http://127.0.0.1:8545'), 'http://127.0.0.1:8545');
    assert.equal(shownUrl('wss://me:secret@l1.example:1/v3/secret?a=secret'), 'wss://…@l1.example:1/…');
    assert.equal(
      withShownUrls('no "https://l1.example/secret", nor http://l1:1.'),
      'no "https://l1.example/…", nor http://l1:1.',
    );
    assert.equal(withShownUrls('at file:///a/b.ts:1:2'), 'at file:///a/b.ts:1:2');
  });

  it('of a server of this machine are of the address where it can be reached', () => {
    const urls = ['0.0.0.0', '::', '::1', 'localhost'].map((host) => urlOfListener({ host, port: 1 }));
    assert.deepEqual(urls, ['http://127.0.0.1:1', 'http://127.0.0.1:1', 'http://[::1]:1', 'http://localhost:1']);
  });

  it('are fetched with user and password in a header', () => {
    const { url, headers } = fetchable('https://me:a%3Ab@node.example/rpc');
    assert.equal(url.href, 'https://node.example/rpc');
    assert.deepEqual(headers, { authorization: `Basic ${btoa('me:a:b')}` });
    assert.deepEqual(fetchable('https://node.example/rpc').headers, {});
  });
});
