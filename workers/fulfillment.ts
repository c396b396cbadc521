import { runWorkers } from './run.ts';

await runWorkers({ name: 'fulfillment-worker', kinds: ['fulfillment'], operationsPort: 8404 });
