/** Binding and closing of the small servers (metrics, status, replay). */
import type { Server } from 'node:http';
import type { AddressInfo, Server as NetServer } from 'node:net';
import { NodeError, errorText } from './errors.ts';

/** Resolves once bound. Throws NodeError LISTEN_FAILED that names the server and says what to do. */
export async function listen(
  server: NetServer,
  { name, host, port }: { readonly name: string; readonly host: string; readonly port: number },
): Promise<AddressInfo> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onError = (error: Error): void => {
    reject(
      new NodeError(
        'fatal',
        `the ${name} server cannot listen on ${host}:${port}: ${errorText(error)}; free the port or configure another one`,
        { code: 'LISTEN_FAILED', host, port },
        { cause: error },
      ),
    );
  };
  server.once('error', onError);
  server.listen({ host, port }, resolve);
  await promise;
  server.off('error', onError);
  // listening on TCP, so it is not a pipe name
  return server.address() as AddressInfo;
}

/** Stops accepting, ends idle connections at once and the others when their answer is sent, all within `limitMs`. */
export async function closeServer(server: Server, limitMs = 2_000): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(() => server.closeAllConnections(), limitMs);
  server.close(() => resolve());
  server.closeIdleConnections();
  await promise;
  clearTimeout(timer);
}
