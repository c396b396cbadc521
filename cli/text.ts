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

/** Formats a duration for people: `0.3 s`, `42 s`, `5 min`, `3 h`, `12 days`. */
export function formatDuration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 10) return `${Math.max(0, seconds).toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 120 * 60) return `${Math.round(seconds / 60)} min`;
  return seconds < 72 * 3600 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}
