/** URLs that may hold a password, or a key of an RPC provider: how people see them, and how `fetch` takes them. */

/** Without user, password, path and query: keys lie there. */
export function shownUrl(url: string): string {
  const parsed = URL.parse(url);
  if (parsed === null) return '…';
  const { protocol, host, pathname, search, username } = parsed;
  const hidden = pathname.length > 1 || search.length > 0 ? '/…' : '';
  return `${protocol}//${username === '' ? '' : '…@'}${host}${hidden}`;
}

/** For texts of other programs' errors: some repeat the URL that was asked. */
export function withShownUrls(text: string): string {
  return text.replace(/\b(?:https?|wss?):\/\/[^\s"'<>]*[^\s"'<>.,;:)]/g, shownUrl);
}

/** Of a server on this machine that listens there. */
export function urlOfListener({ host, port }: { readonly host: string; readonly port: number }): string {
  const reached = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return `http://${reached.includes(':') ? `[${reached}]` : reached}:${port}`;
}

/** `fetch` refuses a URL with user and password: they become a header. */
export function fetchable(url: string): { readonly url: URL; readonly headers: Readonly<Record<string, string>> } {
  const plain = new URL(url);
  const { username, password } = plain;
  if (username === '' && password === '') return { url: plain, headers: {} };
  plain.username = '';
  plain.password = '';
  const credentials = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`);
  return { url: plain, headers: { authorization: `Basic ${credentials.toString('base64')}` } };
}
