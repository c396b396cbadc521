import { reasonOf } from '../errors.ts';

/** The result of one of the doctor's checks. */
export type Finding = {
  /** `problem`: something does not work, or is about to cost money. `warning`: an operator should look. */
  readonly level: 'ok' | 'warning' | 'problem';
  /** What it is about: `PostgreSQL`, `Stock`. */
  readonly about: string;
  readonly message: string;
  /** What to do about it. */
  readonly fix?: string;
  /** The orders that it is about. */
  readonly orderIds?: readonly string[];
};

export function ok(about: string, message: string): Finding {
  return { level: 'ok', about, message };
}

export function warning(about: string, message: string, fix: string, orderIds?: readonly string[]): Finding {
  return { level: 'warning', about, message, fix, ...(orderIds && { orderIds }) };
}

export function problem(about: string, message: string, fix: string, orderIds?: readonly string[]): Finding {
  return { level: 'problem', about, message, fix, ...(orderIds && { orderIds }) };
}

/** Runs a check; if it throws, that is the finding. */
export async function attempt(
  about: string,
  fix: string,
  check: () => Promise<readonly Finding[]>,
): Promise<readonly Finding[]> {
  try {
    return await check();
  } catch (error) {
    return [problem(about, reasonOf(error), fix)];
  }
}
