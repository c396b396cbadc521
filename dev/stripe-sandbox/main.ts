import process from 'node:process';
import closeWithGrace from 'close-with-grace';
import { loadConfig } from '../../platform/config.ts';
import { createLogger } from '../../platform/logger.ts';
import { createStripeSandbox } from './sandbox.ts';

const config = loadConfig();
const logger = createLogger(config, 'stripe-sandbox');
const { port, stateFile, webhookUrl, url } = config.stripeSandbox;
const [webhookSecret = ''] = config.stripe.endpointSecrets;

const sandbox = createStripeSandbox({
  apiKey: config.stripe.apiKey,
  webhookSecret,
  webhookUrl,
  publicUrl: url,
  stateFile,
  logger,
});

closeWithGrace({ delay: config.shutdownGraceMs, logger }, async ({ err }) => {
  if (err !== undefined) logger.error({ err }, 'the Stripe sandbox ends after an error');
  await sandbox.close();
});

try {
  await sandbox.listen({ host: config.host, port });
} catch (error) {
  logger.fatal({ err: error }, `the Stripe sandbox could not listen on ${config.host}:${port}`);
  process.exit(1);
}
