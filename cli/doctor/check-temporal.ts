import { taskQueues } from '../../contracts/messages.ts';
import { missingSearchAttributes, SearchAttributeError } from '../../platform/search-attributes.ts';
import { listPollers, type TaskQueueKind } from '../../platform/task-queues.ts';
import type { TemporalConnection } from '../../platform/temporal.ts';
import type { Context } from '../context.ts';
import { attempt, type Finding, ok, problem } from './finding.ts';

const ABOUT = 'Temporal';
const WORKERS = 'Workers';

/**
 * Checks that Temporal and the namespace exist, that orders can be searched, and that every task queue has a worker.
 */
export async function checkTemporal(context: Context): Promise<readonly Finding[]> {
  const { connection: where, namespace, taskQueuePrefix } = context.settings.config.temporal;
  const fix = `Start it (\`npm start\` brings its own), or set TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE. Its configured address is ${where.address}, namespace ${namespace}.`;
  return attempt(ABOUT, fix, async () => {
    const { connection } = await context.temporal();
    const described = await connection.workflowService.describeNamespace({ namespace });
    const retentionHours = Number(described.config?.workflowExecutionRetentionTtl?.seconds ?? 0) / 3600;
    return [
      ok(ABOUT, `answers at ${where.address}; namespace ${namespace} keeps ended workflows for ${retentionHours} h`),
      await checkSearchAttributes(connection, namespace),
      ...(await checkPollers(connection, namespace, taskQueuePrefix)),
    ];
  });
}

async function checkSearchAttributes(connection: TemporalConnection, namespace: string): Promise<Finding> {
  const about = 'Search attributes';
  try {
    const missing = await missingSearchAttributes(connection, namespace);
    if (missing.length === 0) return ok(about, 'OrderStatus and CustomerId exist');
    return problem(
      about,
      `Namespace ${namespace} is missing ${missing.join(' and ')}, so no order can be started`,
      'Start a worker, which registers them; in Temporal Cloud, add them to the namespace with type Keyword.',
    );
  } catch (error) {
    if (!(error instanceof SearchAttributeError)) throw error;
    return problem(about, error.message, 'Follow that advice, then restart the workers.');
  }
}

async function checkPollers(
  connection: TemporalConnection,
  namespace: string,
  taskQueuePrefix: string,
): Promise<readonly Finding[]> {
  const { orders, stock, payment, fulfillment } = taskQueues(taskQueuePrefix);
  const wanted: readonly (readonly [queue: string, kind: TaskQueueKind, entry: string])[] = [
    [orders, 'workflow', 'workers/orders.ts'],
    [orders, 'activity', 'workers/orders.ts'],
    [stock, 'activity', 'workers/stock.ts'],
    [payment, 'activity', 'workers/payment.ts'],
    [fulfillment, 'activity', 'workers/fulfillment.ts'],
  ];
  const findings = await Promise.all(
    wanted.map(async ([queue, kind, entry]) => {
      const pollers = await listPollers(connection, namespace, queue, kind);
      if (pollers.length > 0) return [];
      const message = `No worker polls for ${kind} tasks of task queue ${queue}, so they wait`;
      return [problem(WORKERS, message, `Start ${entry}, or workers/all.ts; their logs say why they stopped.`)];
    }),
  );
  const missing = findings.flat();
  return missing.length === 0 ? [ok(WORKERS, 'every task queue has one')] : missing;
}
