import { Connection } from '@temporalio/client';
import { managedProcess, type ManagedProcess, type NotReady, type ProcessEvents } from './managed-process.ts';
import { requireFreePort } from './ports.ts';
import { freePort } from '../../platform/free-port.ts';
import { messageOf } from './stack-error.ts';
import type { StateFolder } from './state-folder.ts';

export type TemporalOptions = {
  readonly state: StateFolder;
  /** The `temporal` program. */
  readonly program: string;
  /** Undefined: a free one. */
  readonly port: number | undefined;
  readonly namespace: string;
  /** Undefined: no Web UI. */
  readonly uiPort: number | undefined;
  readonly layer: number;
  readonly events?: ProcessEvents | undefined;
};

export type TemporalServer = ManagedProcess & {
  readonly address: string;
  readonly uiUrl: string | undefined;
};

/** What the workflows set, so that orders are found by it in the Web UI. */
const SEARCH_ATTRIBUTES = { OrderStatus: 'Keyword', CustomerId: 'Keyword' };

/**
 * The server's internal queues. Their readers wait 50 ms between two polls unless they may poll more often: with that a
 * create of an order went from 148 ms to 28 ms. And they walk through all tasks since the last checkpoint, which by
 * default is made every 30 s.
 */
const QUEUES = {
  'history.transferProcessorMaxPollRPS': 5000,
  'history.timerProcessorMaxPollRPS': 5000,
  'history.visibilityProcessorMaxPollRPS': 5000,
  'history.transferProcessorUpdateAckInterval': '"1s"',
  'history.timerProcessorUpdateAckInterval': '"1s"',
  'history.visibilityProcessorUpdateAckInterval': '"1s"',
};

/** Go collects garbage when the heap is five times as large instead of twice; at this much memory as often as it must. */
const GARBAGE_COLLECTION = { GOGC: '400', GOMEMLIMIT: '1GiB' };

/** Twelve orders a second became 34 with these; a COMMIT still survives the end of the process. */
const SQLITE_PRAGMAS = { journal_mode: 'WAL', synchronous: 'NORMAL' };

/**
 * A Temporal development server of our own, with its database in the state folder; made but not started.
 *
 * @throws StackError if a port is taken
 */
export async function createTemporalServer(options: TemporalOptions): Promise<TemporalServer> {
  const { state, uiPort } = options;
  if (options.port !== undefined) await requireFreePort(options.port, 'Temporal', 'TEMPORAL_PORT');
  if (uiPort !== undefined) await requireFreePort(uiPort, "Temporal's Web UI", 'TEMPORAL_UI_PORT');
  const port = options.port ?? (await freePort());
  const address = `127.0.0.1:${port}`;

  const server = managedProcess(
    {
      name: 'Temporal',
      command: options.program,
      args: [
        'server',
        'start-dev',
        '--ip=127.0.0.1',
        `--port=${port}`,
        `--namespace=${options.namespace}`,
        '--log-level=warn',
        `--db-filename=${state.file('temporal', 'temporal.db')}`,
        ...(uiPort === undefined ? ['--headless'] : [`--ui-port=${uiPort}`, '--ui-disable-news-fetch']),
        ...flags('--sqlite-pragma', SQLITE_PRAGMAS),
        ...flags('--dynamic-config-value', QUEUES),
        ...flags('--search-attribute', SEARCH_ATTRIBUTES),
        // The server takes nothing from the settings that its clients have on this machine.
        '--disable-config-file',
        '--disable-config-env',
      ],
      env: { HOME: state.path, ...GARBAGE_COLLECTION },
      stopSignal: 'SIGTERM',
      stopTimeoutMs: 20_000,
      layer: options.layer,
      checkReady: () => checkNamespace(address, options.namespace),
      readyTimeoutMs: 60_000,
    },
    state,
    options.events,
  );
  return { ...server, address, uiUrl: uiPort === undefined ? undefined : `http://127.0.0.1:${uiPort}` };
}

function flags(flag: string, values: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(values).map(([name, value]) => `${flag}=${name}=${value}`);
}

/** The port is open before the namespace is there, so the namespace is asked for. */
async function checkNamespace(address: string, namespace: string): Promise<true | NotReady> {
  const connection = Connection.lazy({ address, connectTimeout: 2000 });
  try {
    await connection.withDeadline(Date.now() + 2000, () => connection.workflowService.describeNamespace({ namespace }));
    return true;
  } catch (error) {
    return { waitsFor: `it doesn't answer on ${address} (${messageOf(error)})` };
  } finally {
    await connection.close();
  }
}
