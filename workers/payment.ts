import { runWorkers } from './run.ts';

await runWorkers({ name: 'payment-worker', kinds: ['payment'], operationsPort: 8403 });
