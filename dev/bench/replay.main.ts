import { readFileSync } from 'node:fs';
import process, { stdout } from 'node:process';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils.js';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';

/*
 * Replays one history many times and prints the CPU time of one replay in ms: what a worker takes for an order that was not
 * in its cache. A process of its own, since the CPU time is the process's.
 *
 * Arguments: the file of the workflow bundle (.cjs) or the entry of the workflows, and the file of the history.
 */

/** Until the code is compiled. */
const WARM_UP = 100;
const REPLAYS = 200;

const [workflows = '', historyFile = ''] = process.argv.slice(2);
const history = historyFromJSON(JSON.parse(readFileSync(historyFile, 'utf8')));
let started = process.cpuUsage();

async function* histories() {
  for (let replay = 0; replay < WARM_UP + REPLAYS; replay += 1) {
    if (replay === WARM_UP) started = process.cpuUsage();
    // It is a number of the workflow's own and no replay looks at it, but the worker knows a workflow by it.
    yield { workflowId: `replay-${replay}`, history };
  }
  const { user, system } = process.cpuUsage(started);
  stdout.write(`${(user + system) / 1000 / REPLAYS}\n`);
}

Runtime.install({ logger: new DefaultLogger('ERROR') });
const code = workflows.endsWith('.cjs') ? { workflowBundle: { codePath: workflows } } : { workflowsPath: workflows };
// Where spans go, as in a worker: for a sink that it does not know the SDK logs an error for each span.
const sinks = { exporter: { export: { fn: () => undefined, callDuringReplay: false } } };
// Replays usually run in the main thread, to be debugged; here they run as in a worker.
const options = { ...code, sinks, debugMode: false };
for await (const { error } of Worker.runReplayHistories(options, histories())) {
  if (error !== undefined) throw error;
}
