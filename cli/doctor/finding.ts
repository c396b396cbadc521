import { reasonOf } from '../errors.ts';

/** What the doctor has to say about one thing. */
export type Finding = {
  /** `problem`: something does not work, or is about to cost money. `warning`: somebody should look. */
  readonly level: 'ok' | 'warning' | 'problem';
  /** What it is about: `PostgreSQL`, `Stock`. */
  readonly about: string;
  readonly message: string;
  /** What to do about it. */
  readonly mend?: string;
  /** The orders that it is about. */
  readonly orderIds?: readonly string[];
};

export function ok(about: string, message: string): Finding {
  return { level: 'ok', about, message };
}

export function warning(about: string, message: string, mend: string, orderIds?: readonly string[]): Finding {
  return { level: 'warning', about, message, mend, ...(orderIds && { orderIds }) };
}

export function problem(about: string, message: string, mend: string, orderIds?: readonly string[]): Finding {
  return { level: 'problem', about, message, mend, ...(orderIds && { orderIds }) };
}

/** Runs a check; where it can't even ask, that is the finding. */
export async function attempt(
  about: string,
  mend: string,
  check: () => Promise<readonly Finding[]>,
): Promise<readonly Finding[]> {
  try {
    return await check();
  } catch (error) {
    return [problem(about, reasonOf(error), mend)];
  }
}
