import process from 'node:process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { chromium } from 'playwright-core';
import { processEnvironment } from '../../platform/config.ts';
import { environmentSchema } from '../../platform/environment.ts';
import { freePort } from '../../platform/free-port.ts';
import { PROJECT_FOLDER } from '../../platform/project.ts';
import { findChromium } from '../stack/chromium.ts';
import { systemDataFolder } from '../stack/postgres-place.ts';
import { loadStackSettings, type StackSettings } from '../stack/settings.ts';
import { StackError } from '../stack/stack-error.ts';
import { createStack } from '../stack/stack.ts';
import { removeStateFolder } from '../stack/state-folder.ts';
import { createTerminal } from '../stack/terminal.ts';
import { takePictures } from './take-pictures.ts';

const PICTURES_FOLDER = join(PROJECT_FOLDER, 'docs', 'pictures');
const END_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

const terminal = createTerminal(process.stdout);
try {
  await run();
} catch (error) {
  terminal.fail(error instanceof StackError || !(error instanceof Error) ? String(error) : (error.stack ?? ''));
  process.exitCode = 1;
}
// Sockets that the pages left open keep nothing waiting.
process.exit();

/** Brings a whole system up beside any other, takes the pictures of the docs from it, and leaves nothing behind. */
async function run(): Promise<void> {
  const browserProgram = await findChromium();
  const stateDir = mkdtempSync(join(tmpdir(), 'order-backend-pictures-'));
  const ending = new AbortController();
  const ended = new Promise<never>((_resolve, reject) => {
    ending.signal.addEventListener('abort', () => reject(ending.signal.reason as Error));
  });
  for (const signal of END_SIGNALS) process.once(signal, () => ending.abort(new StackError(`Ended by ${signal}.`)));
  const settings = await settingsBesideOthers(stateDir);
  const stack = createStack(settings, terminal);

  async function take(): Promise<void> {
    const { temporalUiUrl, zipkinUrl, operatorToken } = await stack.up();
    if (temporalUiUrl === undefined || zipkinUrl === undefined || operatorToken === undefined) {
      throw new StackError('Pictures need Zipkin: install Java 17 or newer, and Maven.');
    }
    const browser = await chromium.launch(browserProgram);
    try {
      const { api: apiUrl, sandbox: sandboxUrl } = settings.urls;
      const places = { apiUrl, sandboxUrl, temporalUiUrl, zipkinUrl, operatorToken };
      await takePictures(browser, places, PICTURES_FOLDER, (file) => {
        terminal.line(`  ${relative(process.cwd(), file)}`);
      });
    } finally {
      await browser.close();
    }
  }

  try {
    await Promise.race([take(), ended]);
  } finally {
    await stack.down();
    await removeStateFolder(stateDir, [systemDataFolder(stateDir)]);
  }
}

/** Free ports and a state of its own, and nothing that this machine's settings put in the place of a part. */
async function settingsBesideOthers(stateDir: string): Promise<StackSettings> {
  const environment = Object.fromEntries(
    Object.entries(processEnvironment()).filter(
      ([name]) => name === 'TEMPORAL_CLI_PATH' || !(name in environmentSchema.shape || /^(OTEL|TEMPORAL)_/.test(name)),
    ),
  );
  const port = async (): Promise<string> => String(await freePort());
  const settings = loadStackSettings({
    ...environment,
    STATE_DIR: stateDir,
    API_PORT: await port(),
    WEBHOOK_PORT: await port(),
    STRIPE_SANDBOX_PORT: await port(),
    TEMPORAL_PORT: await port(),
    TEMPORAL_UI_PORT: await port(),
    ZIPKIN_PORT: await port(),
  });
  const operations = { workers: await freePort(), api: await freePort(), webhook: await freePort() };
  return { ...settings, ports: { ...settings.ports, operations } };
}
