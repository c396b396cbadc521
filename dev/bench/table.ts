import type { Figure } from './figures.ts';
import { median } from './measure.ts';

type Machine = { readonly cores: number; readonly node: string; readonly rounds: number };
type Version = { readonly checkout: string; readonly figures: readonly (readonly Figure[])[] };

/** All that was measured, one table for each version, with the medians and each round. */
export function table({ cores, node, rounds }: Machine, versions: readonly Version[]): string {
  const head = `Medians of ${rounds} rounds on ${cores} cores, Node ${node}, production build`;
  return (
    [head, ...versions.map(({ checkout, figures }) => `${checkout}\n${tableOf(figures.flat())}`)].join('\n\n') + '\n'
  );
}

function tableOf(figures: readonly Figure[]): string {
  const names = [...new Set(figures.map(({ name }) => name))];
  const rows = names.map((name) => {
    const each = figures.filter((figure) => figure.name === name);
    const orders = each.map(({ order }) => order);
    const bares = each.flatMap(({ bare }) => bare ?? []);
    const unit = each[0]?.unit ?? '';
    const value = (values: readonly number[]): string =>
      values.length === 0 ? '' : `${median(values).toFixed(1)} ${unit}`.trim();
    const ratio = bares.length === 0 ? '' : `${(median(orders) / median(bares)).toFixed(2)} ×`;
    return [name, value(orders), value(bares), ratio, eachOf(orders), eachOf(bares)];
  });
  return aligned([['', 'order', 'bare', 'order / bare', 'order, each round', 'bare, each round'], ...rows]);
}

function eachOf(values: readonly number[]): string {
  return values.length < 2 ? '' : values.map((value) => value.toFixed(1)).join(' · ');
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0))) ?? [];
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return rows.map(line).join('\n');
}
