import { runWorkers } from './run.ts';
import { workerKinds } from './worker.ts';

/** The workers of all task queues in one process: for development, and for shops for which one process is enough. */
await runWorkers({ name: 'workers', kinds: workerKinds, operationsPort: 8400 });
