import { requireSignIn } from '../platform/sign-in-config.ts';
import { createOrdersApi } from './orders-api.ts';
import { serve } from './serve.ts';

await serve({
  name: 'orders-api',
  port: (config) => config.api.port,
  portSetting: 'API_PORT',
  operationsPort: 8111,
  check: requireSignIn,
  create: createOrdersApi,
});
