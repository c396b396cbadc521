import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Below the ports that systems give to outgoing connections, which would take a free one before it is listened on. */
const [FIRST_PORT, LAST_PORT] = [15_000, 32_000];

/** Returns a port on loopback that nothing listens on at the moment. */
export async function freePort(): Promise<number> {
  return (await listenOnce(randomInt(FIRST_PORT, LAST_PORT))) ?? freePort();
}

/** Listens for a moment; returns the port, or undefined if it is taken. */
export async function listenOnce(port: number, host = '127.0.0.1'): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(undefined);
      else reject(error);
    });
    server.listen({ port, host, exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(address !== null && typeof address === 'object' ? address.port : undefined));
    });
  });
}
