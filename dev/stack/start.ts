import process from 'node:process';
import { relative } from 'node:path';
import { ConfigError } from '../../platform/config.ts';
import { tailWarnings } from './log-tail.ts';
import { loadStackSettings, type StackSettings } from './settings.ts';
import { loadProjectEnvFile } from '../../platform/project.ts';
import { StackError } from './stack-error.ts';
import { createStack, type RunningStack, type Stack } from './stack.ts';
import { createTerminal } from './terminal.ts';

/** npm and the terminal may both hand on the same Ctrl-C: only one that comes later than this is a second one. */
const SAME_SIGNAL_MS = 800;
const END_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const FORCED_EXIT_CODE = 130;

/** The customer and the order of the contract's example. */
const CUSTOMER_ID = '0a69556f-fe95-48eb-bb0a-099d9b0f2a50';
const ORDER = {
  customerID: CUSTOMER_ID,
  items: [
    { itemID: 'prod_SNjRcpjxpiazxk', quantity: 5 },
    { itemID: 'prod_SNjQpQjNC8QuaD', quantity: 5 },
    { itemID: 'prod_SNjRcpjxpiazxk', quantity: 15 },
  ],
};

const terminal = createTerminal(process.stdout);
const exitCode = await run().catch((error: unknown) => {
  fail(error);
  return 1;
});
process.exit(exitCode);

/** Runs the stack until it is told to end, or can't start. Gives the exit code. */
async function run(): Promise<number> {
  loadProjectEnvFile();
  const settings = loadStackSettings();
  const end = endOfRun();
  const stack = createStack(settings, terminal);
  terminal.title('Order backend');
  const goingUp = goUp(stack, settings, end);
  const failure = await end.asked;
  if (failure !== undefined) fail(failure.error);
  terminal.line('\n  Stopping: requests and activities under way end first. Ctrl-C again ends all at once.');
  const how = await Promise.race([stack.down().then(() => 'down' as const), end.forced]);
  if (how === 'forced') await stack.kill();
  await goingUp;
  terminal.line(how === 'forced' ? '  Ended at once.\n' : '  Stopped.\n');
  if (how === 'forced') return FORCED_EXIT_CODE;
  return failure === undefined ? 0 : 1;
}

async function goUp(stack: Stack, settings: StackSettings, end: ReturnType<typeof endOfRun>): Promise<void> {
  const startedAt = performance.now();
  try {
    const running = await stack.up();
    if (end.signal.aborted) return;
    describe(running, settings, performance.now() - startedAt);
    const show = (line: string): void => terminal.warn(`${new Date().toLocaleTimeString('en-GB')}  ${line}`);
    void tailWarnings(running.processes, show, end.signal);
  } catch (error) {
    // Once the end is asked for, a start that is broken off is no news.
    if (!end.signal.aborted) end.giveUp(error);
  }
}

/** When and why the run ends: by a signal, by a second one, by an error, or as nobody reads on. */
function endOfRun() {
  const ending = new AbortController();
  let firstSignalAt: number | undefined;
  let resolveAsked: (failure: { error: unknown } | undefined) => void;
  let resolveForced: (how: 'forced') => void;
  const asked = new Promise<{ error: unknown } | undefined>((resolve) => {
    resolveAsked = resolve;
  });
  const forced = new Promise<'forced'>((resolve) => {
    resolveForced = resolve;
  });
  const ask = (failure?: { error: unknown }): void => {
    ending.abort();
    resolveAsked(failure);
  };
  for (const signal of END_SIGNALS) {
    process.on(signal, () => {
      if (firstSignalAt !== undefined && Date.now() - firstSignalAt > SAME_SIGNAL_MS) resolveForced('forced');
      firstSignalAt ??= Date.now();
      ask();
    });
  }
  // A terminal that is gone, or `npm start | head`. Unheard, it would end this process and leave the parts running.
  process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => {
    if (code !== 'ENOSPC') ask();
  });
  return {
    asked,
    forced,
    signal: ending.signal,
    giveUp: (error: unknown) => {
      ask({ error });
    },
  };
}

function describe(running: RunningStack, settings: StackSettings, tookMs: number): void {
  const { urls, external, stateDir } = settings;
  const ready = `Ready in ${(tookMs / 1000).toFixed(1)} s`;
  terminal.title(settings.shopPage ? `${ready}. Open the shop: ${urls.api}/` : ready);
  terminal.table([
    ['Orders API', `${urls.api} (documentation: ${urls.api}/docs)`],
    ['Operators’ desk', deskText(running, settings)],
    ['Stripe webhook', `http://127.0.0.1:${settings.ports.webhook}/webhook`],
    ['Stripe', external.stripe ? 'as STRIPE_KEY says' : `${urls.sandbox} (a local sandbox; card 4242 4242 4242 4242)`],
    ['Temporal Web UI', running.temporalUiUrl ?? `of the server at ${external.temporalAddress}`],
    ['Zipkin', zipkinText(running, settings)],
    ['PostgreSQL', external.databaseUrl === undefined ? running.databaseUrl : 'as DATABASE_URL says'],
    ['Logs', relative(process.cwd(), `${stateDir}/logs`)],
  ]);
  terminal.title('Or place an order as a client of the API does, and open the redirect_url of the answer');
  terminal.line(`  curl -s ${urls.api}/api/customer/${CUSTOMER_ID}/create \\`);
  terminal.line("    -H 'content-type: application/json' \\");
  terminal.line(`    -d '${JSON.stringify(ORDER)}'`);
  terminal.line('\n  Ctrl-C stops everything; orders under way go on with the next start.\n');
}

function deskText({ operatorToken }: RunningStack, { urls }: StackSettings): string {
  const desk = `${urls.api}/operator`;
  return operatorToken === undefined ? desk : `${desk} (sign in with ${operatorToken})`;
}

function zipkinText({ zipkinUrl }: RunningStack, { external }: StackSettings): string {
  if (zipkinUrl === undefined) return external.collector ? 'none; traces go to your collector' : 'none';
  return external.zipkinUrl === undefined ? `${zipkinUrl} (up in a moment)` : zipkinUrl;
}

/** An error that a person can fix is printed as a message; anything else is a bug, and comes with its stack trace. */
function fail(error: unknown): void {
  const isExpected = error instanceof StackError || error instanceof ConfigError;
  terminal.fail(isExpected || !(error instanceof Error) ? (error as Error).message : (error.stack ?? error.message));
}
