import { isTerminal, orderStatuses, transitions } from '../../domain/order-status.ts';

const BEGIN =
  '<!-- From here to the end mark it is made from domain/order-status.ts by `npm run docs:order-states`. -->';
const END = '<!-- End mark. -->';

/** Puts the diagram and the table of the order's states, as the code has them, between the marks of docs/order-states.md. */
export function withOrderStates(document: string): string {
  const [before, rest] = document.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined) throw new Error('docs/order-states.md has lost its marks');
  return `${before}${BEGIN}\n\n${diagram()}\n\n${table()}\n\n${END}${after}`;
}

function diagram(): string {
  const arrows = transitions.map(({ from, to, event }) => `    ${from ?? '[*]'} --> ${to}: ${event}`);
  const ends = orderStatuses.filter(isTerminal).map((status) => `    ${status} --> [*]`);
  return ['```mermaid', 'stateDiagram-v2', ...arrows, ...ends, '```'].join('\n');
}

function table(): string {
  const rows = transitions.map(({ from, to, event, when }) => `| ${from ?? '–'} | ${to} | \`${event}\` | ${when} |`);
  return ['| from | to | on the timeline | when |', '|---|---|---|---|', ...rows].join('\n');
}
