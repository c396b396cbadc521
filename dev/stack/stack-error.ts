/**
 * Something on this machine keeps the stack from running. The message says what, and how to fix it; no stack trace is
 * shown.
 */
export class StackError extends Error {
  override readonly name = 'StackError';
}

/** How the parts of the stack tell what they are doing. */
export type Reporter = {
  /** A part is up. `detail` is short: a version, an address. */
  readonly up: (name: string, detail: string, tookMs: number) => void;
  /** Something slow goes on; the newest message replaces the one before. */
  readonly progress: (message: string) => void;
  /** Something that a person should know, but that stops nothing. */
  readonly warn: (message: string) => void;
};

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
