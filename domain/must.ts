/** Gives the value, or throws where it is missing: for what the code around it guarantees. */
export function must<T>(value: T | undefined | null, what: string): T {
  if (value === undefined || value === null) throw new Error(`Expected ${what}`);
  return value;
}

/** Marks the branch that no value can reach; the compiler complains when a new case is not handled. */
export function unreachable(value: never): never {
  throw new Error(`Unexpected value: ${JSON.stringify(value)}`);
}
