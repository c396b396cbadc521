import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** A way between two parts that can be disturbed. */
export type TcpProxy = {
  readonly port: number;
  /** Nothing gets through, either way, and nobody is told; what was sent meanwhile arrives afterwards. */
  readonly swallow: (swallows: boolean) => void;
  /** What the target answers does not get through; what it is asked does. */
  readonly swallowAnswers: (swallows: boolean) => void;
  /** Ends all connections of the moment, as a router does that has restarted. */
  readonly resetAll: () => number;
  readonly close: () => Promise<void>;
};

type Pair = { readonly from: Socket; readonly to: Socket };

/**
 * Listens on loopback and hands on to one of several ports in turn.
 *
 * @param targets asked at each new connection; the next one is tried where nobody listens
 */
export async function startTcpProxy(targets: () => readonly number[]): Promise<TcpProxy> {
  const pairs = new Set<Pair>();
  let swallowing = false;
  let swallowingAnswers = false;
  let turn = 0;

  const server: Server = createServer((from) => {
    turn += 1;
    const ports = targets();
    dial(from, [...ports.slice(turn % ports.length), ...ports.slice(0, turn % ports.length)]);
  });

  function dial(from: Socket, [port, ...others]: readonly number[]): void {
    if (port === undefined) {
      from.resetAndDestroy();
      return;
    }
    const to = connect({ host: '127.0.0.1', port });
    to.once('error', () => dial(from, others));
    to.once('connect', () => {
      to.removeAllListeners('error');
      join({ from, to });
    });
    // Until it is joined, what goes wrong on this side ends both.
    from.on('error', () => to.destroy());
  }

  function join(pair: Pair): void {
    const { from, to } = pair;
    pairs.add(pair);
    const end = (): void => {
      pairs.delete(pair);
      from.destroy();
      to.destroy();
    };
    for (const socket of [from, to]) socket.on('error', end).on('close', end).setNoDelay(true);
    // Not by pipes, which resume by themselves what is paused here.
    from.on('data', (chunk) => to.write(chunk));
    to.on('data', (chunk) => from.write(chunk));
    hold(pair);
  }

  function hold({ from, to }: Pair): void {
    // A paused stream keeps what it has: the sender's window fills, as on a line that is dead for a while.
    if (swallowing) from.pause();
    else from.resume();
    if (swallowing || swallowingAnswers) to.pause();
    else to.resume();
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('A TCP server has a port');
  return {
    port: address.port,
    swallow: (swallows) => {
      swallowing = swallows;
      for (const pair of pairs) hold(pair);
    },
    swallowAnswers: (swallows) => {
      swallowingAnswers = swallows;
      for (const pair of pairs) hold(pair);
    },
    resetAll: () => {
      const count = pairs.size;
      for (const { from, to } of pairs) {
        from.resetAndDestroy();
        to.resetAndDestroy();
      }
      return count;
    },
    close: async () => {
      for (const { from, to } of pairs) {
        from.destroy();
        to.destroy();
      }
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
