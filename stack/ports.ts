import { execFile } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { connect, createServer } from 'node:net';
import { promisify } from 'node:util';
import { StackError } from './stack-error.ts';

/** A server that is there takes a connection at once, also on the other side of the world. */
const CONNECT_TIMEOUT_MS = 3000;

/** Below the ports that systems give to outgoing connections, which would take a free one before it is listened on. */
const [FIRST_PORT, LAST_PORT] = [15_000, 32_000];

/** A port on loopback that nothing listens on at the moment. */
export async function freePort(): Promise<number> {
  return (await listenOnce(randomInt(FIRST_PORT, LAST_PORT))) ?? freePort();
}

/** Whether a server can listen there. */
export async function isPortFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return (await listenOnce(port, host)) !== undefined;
}

/**
 * @param setting the variable that moves the part to another port
 * @throws StackError naming the part, the port, who holds it (where the system tells) and the mend
 */
export async function requireFreePort(port: number, part: string, setting: string, host?: string): Promise<void> {
  if (await isPortFree(port, host)) return;
  const holder = await holderOf(port);
  throw new StackError(
    `Port ${port}, for ${part}, is taken${holder === undefined ? '' : ` by ${holder}`}. Stop that, or set ${setting} to a free port.`,
  );
}

/** Whether a server answers at `host:port` soon. */
export async function isListening(address: string): Promise<boolean> {
  const { hostname, port } = new URL(`tcp://${address}`);
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port), timeout: CONNECT_TIMEOUT_MS });
    const settle = (answers: boolean): void => {
      socket.destroy();
      resolve(answers);
    };
    socket.once('connect', () => settle(true));
    socket.once('timeout', () => settle(false));
    socket.once('error', () => settle(false));
  });
}

/** The port that was listened on for a moment, or undefined where it is taken. */
async function listenOnce(port: number, host = '127.0.0.1'): Promise<number | undefined> {
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

const run = promisify(execFile);

/** Which program listens on a port, as `node (process 123)`; undefined where neither `ss` nor `lsof` tells. */
async function holderOf(port: number): Promise<string | undefined> {
  const [ss, lsof] = await Promise.all([
    output('ss', ['-Hltnp', `sport = :${port}`]),
    output('lsof', ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fpc']),
  ]);
  const bySs = /users:\(\("(?<name>[^"]+)",pid=(?<pid>\d+)/.exec(ss);
  const byLsof = /^p(?<pid>\d+)\nc(?<name>.+)$/m.exec(lsof);
  const found = (bySs ?? byLsof)?.groups;
  return found === undefined ? undefined : `${found['name']} (process ${found['pid']})`;
}

async function output(command: string, args: string[]): Promise<string> {
  try {
    return (await run(command, args, { timeout: 3000 })).stdout;
  } catch {
    return '';
  }
}
