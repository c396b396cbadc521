import { runWorkers } from './run.ts';

await runWorkers({ name: 'stock-worker', kinds: ['stock'], operationsPort: 8402 });
