import { createStripe } from '../platform/stripe.ts';
import { serve } from './serve.ts';
import { createWebhookReceiver } from './webhook.ts';

await serve({
  name: 'stripe-webhook',
  port: (config) => config.webhook.port,
  portSetting: 'WEBHOOK_PORT',
  operationsPort: 8311,
  create: (parts) => createWebhookReceiver({ ...parts, stripe: createStripe(parts.config.stripe) }),
});
