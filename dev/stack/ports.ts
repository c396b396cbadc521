import { execFile } from 'node:child_process';
import { connect } from 'node:net';
import { promisify } from 'node:util';
import { listenOnce } from '../../platform/free-port.ts';
import { StackError } from './stack-error.ts';

/** A server that is there takes a connection at once, also on the other side of the world. */
const CONNECT_TIMEOUT_MS = 3000;

/** Whether a server can listen there. */
export async function isPortFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return (await listenOnce(port, host)) !== undefined;
}

/**
 * @param setting the variable that moves the part to another port
 * @throws StackError naming the part, the port, who holds it (if the system tells) and the fix
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

const run = promisify(execFile);

/** Which program listens on a port, as `node (process 123)`; undefined if neither `ss` nor `lsof` tells. */
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
