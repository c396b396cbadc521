import { styleText } from 'node:util';
import type { Reporter } from './stack-error.ts';

/** Where no terminal is at the other end, progress comes as lines, and not more often than this. */
const PROGRESS_LINE_EVERY_MS = 20_000;

type Output = {
  readonly write: (text: string) => unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly hasColors?: (() => boolean) | undefined;
};

export type Terminal = Reporter & {
  readonly line: (text?: string) => void;
  readonly title: (text: string) => void;
  /** Rows of a name and what belongs to it. */
  readonly table: (rows: readonly (readonly [name: string, value: string])[]) => void;
  readonly fail: (message: string) => void;
};

/** Lines for people: a short one for each part that comes up, and one that is written over for what takes long. */
export function createTerminal(output: Output): Terminal {
  const style = (format: Parameters<typeof styleText>[0], text: string): string =>
    output.isTTY === true && output.hasColors?.() !== false ? styleText(format, text) : text;
  let lastProgressAt = -Infinity;
  let progressShown = false;

  function line(text = ''): void {
    if (progressShown) output.write('\r\u001B[K');
    progressShown = false;
    output.write(`${text}\n`);
  }

  return {
    line,
    title: (text) => {
      line(`\n  ${style('bold', text)}\n`);
    },
    up: (name, detail, tookMs) => {
      const took = `${(tookMs / 1000).toFixed(1)} s`;
      line(`  ${style('green', '✓')} ${name.padEnd(17)} ${detail.padEnd(34)} ${style('dim', took)}`);
    },
    progress: (message) => {
      if (output.isTTY === true) {
        output.write(`\r\u001B[K  … ${message}`.slice(0, (output.columns ?? 80) + 3));
        progressShown = true;
      } else if (Date.now() - lastProgressAt >= PROGRESS_LINE_EVERY_MS) {
        lastProgressAt = Date.now();
        line(`  … ${message}`);
      }
    },
    warn: (message) => {
      line(`  ${style('yellow', '!')} ${message}`);
    },
    table: (rows) => {
      for (const [name, value] of rows) line(`  ${style('bold', name.padEnd(17))} ${value}`);
    },
    fail: (message) => {
      line(`\n  ${style('red', '✗')} ${message}\n`);
    },
  };
}
