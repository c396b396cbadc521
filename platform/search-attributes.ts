import { CUSTOMER_ID_ATTRIBUTE, ORDER_STATUS_ATTRIBUTE } from '../contracts/messages.ts';
import { hasGrpcStatus, type TemporalConnection } from './temporal.ts';

/** `INDEXED_VALUE_TYPE_KEYWORD` of Temporal's API, which the client's packages do not export. */
const KEYWORD = 2;

const NAMES = [ORDER_STATUS_ATTRIBUTE, CUSTOMER_ID_ATTRIBUTE];

/** A search attribute is missing or has another type. The message has the command that fixes it. */
export class SearchAttributeError extends Error {
  override readonly name = 'SearchAttributeError';
}

/**
 * Makes sure that the namespace has the search attributes `OrderStatus` and `CustomerId`, without which no order could
 * be started: registers missing ones if that is allowed.
 *
 * @throws SearchAttributeError if they are missing and can't be registered, as in Temporal Cloud, or have another type
 */
export async function ensureSearchAttributes(connection: TemporalConnection, namespace: string): Promise<void> {
  const missing = await missingSearchAttributes(connection, namespace);
  if (missing.length === 0) {
    return;
  }
  try {
    const searchAttributes = Object.fromEntries(missing.map((name) => [name, KEYWORD]));
    await connection.operatorService.addSearchAttributes({ namespace, searchAttributes });
  } catch (error) {
    // Another worker that starts at the same time may have been first.
    if (hasGrpcStatus(error, 'ALREADY_EXISTS')) {
      return;
    }
    if (hasGrpcStatus(error, 'PERMISSION_DENIED', 'UNAUTHENTICATED', 'UNIMPLEMENTED')) {
      throw new SearchAttributeError(
        `Temporal's namespace ${namespace} lacks the search attributes ${missing.join(' and ')}, and this process may not register them. Run: ${createCommands(namespace, missing)} (Temporal Cloud: add them to the namespace, type Keyword).`,
        { cause: error },
      );
    }
    throw error;
  }
}

/**
 * Returns those of the two search attributes that the namespace lacks; changes nothing.
 *
 * @throws SearchAttributeError if one exists with another type
 */
export async function missingSearchAttributes(connection: TemporalConnection, namespace: string): Promise<string[]> {
  const present = await listSearchAttributes(connection, namespace);
  const wrong = NAMES.filter((name) => present.has(name) && present.get(name) !== KEYWORD);
  if (wrong.length > 0) {
    throw new SearchAttributeError(
      `Temporal's namespace ${namespace} has ${wrong.join(' and ')} as another type than Keyword. Use another namespace, or remove it with: temporal operator search-attribute remove --namespace ${namespace} --name ${wrong.join(' --name ')}`,
    );
  }
  return NAMES.filter((name) => !present.has(name));
}

/** The namespace's own search attributes with their types, by name. */
async function listSearchAttributes(
  connection: TemporalConnection,
  namespace: string,
): Promise<ReadonlyMap<string, number>> {
  try {
    const listed = await connection.operatorService.listSearchAttributes({ namespace });
    return new Map(Object.entries(listed.customAttributes));
  } catch (error) {
    if (!hasGrpcStatus(error, 'PERMISSION_DENIED', 'UNAUTHENTICATED', 'UNIMPLEMENTED')) {
      throw error;
    }
    // Temporal Cloud has no operator service. Its namespaces map columns, `Keyword01` for example, to names.
    const { config } = await connection.workflowService.describeNamespace({ namespace });
    const aliases = Object.entries(config?.customSearchAttributeAliases ?? {});
    return new Map(aliases.map(([column, name]) => [name, /^Keyword\d+$/.test(column) ? KEYWORD : 0]));
  }
}

function createCommands(namespace: string, names: readonly string[]): string {
  return names
    .map((name) => `temporal operator search-attribute create --namespace ${namespace} --name ${name} --type Keyword`)
    .join(' && ');
}
