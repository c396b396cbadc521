import { styleText } from 'node:util';
import { stdout } from 'node:process';

type Format = Parameters<typeof styleText>[0];

/** Styles a text on a terminal; leaves it plain if the output goes to a file or another program. */
export function styled(format: Format, text: string): string {
  return stdout.isTTY && stdout.hasColors() ? styleText(format, text) : text;
}

/** Formats rows as aligned columns; the first row is the header. */
export function table(rows: readonly (readonly string[])[], indent = ''): string {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows
    .map((row, index) => {
      const line = `${indent}${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}`.trimEnd();
      return index === 0 ? styled('bold', line) : line;
    })
    .join('\n');
}

/** Formats a time in the local time zone: `2026-11-22 12:00:03`. */
export function formatTime(date: Date): string {
  return date.toLocaleString('sv-SE');
}
