import process from 'node:process';
import { extname, join } from 'node:path';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { loadConfig } from '../../../platform/config.ts';
import * as activities from './activities.ts';
import { BARE_TASK_QUEUE } from './task-queue.ts';

Runtime.install({ logger: new DefaultLogger('WARN'), shutdownSignals: [] });
const connection = await NativeConnection.connect(loadConfig().temporal.connection);
const worker = await Worker.create({
  connection,
  taskQueue: BARE_TASK_QUEUE,
  workflowsPath: join(import.meta.dirname, `workflows${extname(import.meta.filename)}`),
  activities,
  maxCachedWorkflows: 500,
});
process.once('SIGTERM', () => worker.shutdown());
await worker.run();
await connection.close();
