/** Returns the value, or throws if it is missing: for what the surrounding code guarantees. */
export function must<T>(value: T | undefined | null, what: string): T {
  if (value === undefined || value === null) throw new Error(`Expected ${what}`);
  return value;
}

/** Marks a branch that no value can reach; the compiler reports a case that is not handled. */
export function unreachable(value: never): never {
  throw new Error(`Unexpected value: ${JSON.stringify(value)}`);
}
