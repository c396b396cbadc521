import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { expect } from 'vitest';
import { freePort } from '../../platform/free-port.ts';
import type { WorkerKind } from '../../workers/worker.ts';
import { compiled } from './compiled.ts';
import type { World } from './world.ts';

const READY_TIMEOUT_MS = 60_000;

export type WorkerProcess = {
  /** Ends it as a crash does: it closes nothing and says nothing. Waits until it is gone. */
  readonly crash: () => Promise<void>;
};

/**
 * Starts the worker of a task queue as a process of its own, in place of the one that the world has in this process.
 *
 * @returns once it works
 */
export async function startWorkerProcess(world: World, kind: WorkerKind): Promise<WorkerProcess> {
  await world.stopWorker(kind);
  const operationsPort = await freePort();
  const { config } = world;
  const child = spawn(process.execPath, [compiled(`workers/${kind}.ts`)], {
    env: {
      PATH: process.env['PATH'],
      NODE_ENV: 'test',
      LOG_LEVEL: 'warn',
      DATABASE_URL: config.database.url,
      // Writes that a test holds open keep their connections.
      DATABASE_POOL_SIZE: '30',
      TEMPORAL_ADDRESS: config.temporal.connection.address,
      TASK_QUEUE_PREFIX: config.temporal.taskQueuePrefix,
      STRIPE_SANDBOX_URL: config.stripe.sandboxUrl,
      OPERATIONS_PORT: String(operationsPort),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // A run that is broken off leaves no worker behind.
  const killAtExit = (): void => void child.kill('SIGKILL');
  process.once('exit', killAtExit);
  child.once('exit', () => process.off('exit', killAtExit));
  const output = outputOf(child);
  await world.until(async () => {
    if (child.exitCode !== null) throw new Error(`The ${kind} worker ended: ${output()}`);
    const response = await fetch(`http://127.0.0.1:${operationsPort}/readyz`);
    if (!response.ok) throw new Error(`The ${kind} worker is not ready: ${output()}`);
  }, READY_TIMEOUT_MS);
  return {
    crash: async () => {
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      const [code, signal] = await exited;
      expect({ kind, code, signal }).toEqual({ kind, code: null, signal: 'SIGKILL' });
    },
  };
}

function outputOf({ stdout, stderr }: ChildProcess): () => string {
  let output = '';
  for (const stream of [stdout, stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  return () => output;
}
