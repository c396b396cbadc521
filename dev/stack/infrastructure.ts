import type { ManagedProcess, ProcessEvents } from './managed-process.ts';
import { isListening } from './ports.ts';
import { createPostgresServer, ensureDatabase, type PostgresServer } from './postgres.ts';
import type { Reporter } from './stack-error.ts';
import type { StateFolder } from './state-folder.ts';
import { findTemporalCli } from './temporal-cli.ts';
import { createTemporalServer, type TemporalServer } from './temporal-server.ts';

export type InfrastructureOptions = {
  readonly state: StateFolder;
  readonly log: Reporter;
  readonly ports: {
    /** Undefined: a free one, kept from start to start. */
    readonly postgres?: number | undefined;
    /** Undefined: a free one. */
    readonly temporal?: number | undefined;
    /** Undefined: no Web UI. */
    readonly temporalUi?: number | undefined;
  };
  /** False only if the data are thrown away afterwards: a COMMIT then doesn't wait for the disk. */
  readonly durable: boolean;
  /** Where it is set, that part is taken as it is, and none is started. */
  readonly external?: { readonly databaseUrl?: string | undefined; readonly temporalAddress?: string | undefined };
  /** Made on the Temporal server unless it is there; `default` always is. */
  readonly namespace?: string | undefined;
  /** The program that TEMPORAL_CLI_PATH names. */
  readonly temporalCliPath?: string | undefined;
  /** Without them a part that dies stays dead. */
  readonly events?: ((name: string) => ProcessEvents) | undefined;
  /** Told of each process before it starts, by who may have to end it before all are up. */
  readonly onStart?: ((process: ManagedProcess, layer: number) => void) | undefined;
  /** Ends the first installation of Temporal, which takes minutes. */
  readonly signal?: AbortSignal | undefined;
};

export type Infrastructure = {
  readonly databaseUrl: string;
  readonly temporalAddress: string;
  readonly temporalUiUrl: string | undefined;
  /** Undefined if it is an external one. */
  readonly postgres: PostgresServer | undefined;
  readonly temporal: TemporalServer | undefined;
  readonly stop: () => Promise<void>;
};

/** The order in which parts are ended: what stands on others goes first. */
export const LAYERS = { infrastructure: 0, sandbox: 1, workers: 2, edges: 3 } as const;

const DATABASE = 'orders';

/**
 * Brings up PostgreSQL, with an empty database `orders` if there is none, and Temporal, in parallel.
 *
 * @throws StackError saying what is in the way and how to fix it; nothing is left running then
 */
export async function startInfrastructure(options: InfrastructureOptions): Promise<Infrastructure> {
  const started: ManagedProcess[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(started.map((part) => part.stop()));
  };
  const results = await Promise.allSettled([startPostgres(options, started), startTemporal(options, started)]);
  const failed = results.find((result) => result.status === 'rejected');
  const [postgres, temporal] = results;
  if (failed !== undefined || postgres.status === 'rejected' || temporal.status === 'rejected') {
    await stop();
    throw failed?.reason;
  }
  return { ...postgres.value, ...temporal.value, stop };
}

async function startPostgres(
  options: InfrastructureOptions,
  started: ManagedProcess[],
): Promise<Pick<Infrastructure, 'databaseUrl' | 'postgres'>> {
  const databaseUrl = options.external?.databaseUrl;
  if (databaseUrl !== undefined) return { databaseUrl, postgres: undefined };
  const startedAt = performance.now();
  const postgres = await createPostgresServer({
    state: options.state,
    port: options.ports.postgres,
    durable: options.durable,
    layer: LAYERS.infrastructure,
    events: options.events?.('PostgreSQL'),
  });
  started.push(postgres);
  options.onStart?.(postgres, LAYERS.infrastructure);
  await postgres.start();
  await ensureDatabase(postgres.url('postgres'), DATABASE);
  options.log.up('PostgreSQL', `127.0.0.1:${postgres.port}`, performance.now() - startedAt);
  return { databaseUrl: postgres.url(DATABASE), postgres };
}

async function startTemporal(
  options: InfrastructureOptions,
  started: ManagedProcess[],
): Promise<Pick<Infrastructure, 'temporalAddress' | 'temporalUiUrl' | 'temporal'>> {
  const temporalAddress = options.external?.temporalAddress;
  if (temporalAddress !== undefined) {
    // It may be on its way up, or behind a proxy: the processes wait for it, and say so in their logs.
    if (!(await isListening(temporalAddress))) {
      options.log.warn(`Nothing answers at ${temporalAddress} yet, where Temporal should be (TEMPORAL_ADDRESS)`);
    }
    return { temporalAddress, temporalUiUrl: undefined, temporal: undefined };
  }
  const startedAt = performance.now();
  const temporal = await createTemporalServer({
    state: options.state,
    program: await findTemporalCli({ log: options.log, givenPath: options.temporalCliPath, signal: options.signal }),
    port: options.ports.temporal,
    namespace: options.namespace ?? 'default',
    uiPort: options.ports.temporalUi,
    layer: LAYERS.infrastructure,
    events: options.events?.('Temporal'),
  });
  started.push(temporal);
  options.onStart?.(temporal, LAYERS.infrastructure);
  await temporal.start();
  options.log.up('Temporal', temporal.address, performance.now() - startedAt);
  return { temporalAddress: temporal.address, temporalUiUrl: temporal.uiUrl, temporal };
}
