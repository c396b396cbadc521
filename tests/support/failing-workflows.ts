/** A workflow with a bug, for the test of what is seen of one. */
export async function orderLifecycle(): Promise<never> {
  throw new Error(`A planted bug; an error without a message has the stack ${JSON.stringify(new Error().stack)}`);
}
