import { runWorkers } from './run.ts';

await runWorkers({ name: 'orders-worker', kinds: ['orders'], operationsPort: 8401 });
