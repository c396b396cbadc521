import { html } from 'ghtml';
import type { OrderRecord } from '../../../database/orders.ts';
import { formatDuration } from '../../../domain/duration.ts';
import { isTerminal } from '../../../domain/order-status.ts';
import { leftToRefund } from '../../../domain/refund.ts';
import type { LinksElsewhere } from '../../links-elsewhere.ts';
import type { WorkflowState } from '../../order-health.ts';
import {
  money,
  orderPath,
  renderFacts,
  renderLinkElsewhere,
  renderStatus,
  renderTable,
  renderTime,
  text,
} from './desk.ts';
import type { Need } from './needs-a-person.ts';
import { renderNeeds } from './overview-page.ts';

/** What an operator can do with an order. */
export const steps = ['cancel', 'refund', 'release'] as const;
export type Step = (typeof steps)[number];

type Shown = {
  readonly order: OrderRecord;
  readonly needs: readonly Need[];
  readonly workflow: WorkflowState;
  readonly links: LinksElsewhere;
  /** The customer's own page of the order. */
  readonly paymentPage: string;
};

/** An order with all that is known of it, and what can be done. */
export function renderOrderPage({ order, needs, workflow, links, paymentPage }: Shown): string {
  const { orderId, status, customerId, totalAmountMinor, currency, keptAmountMinor } = order;
  return html`<h1>Order <span class="id">${orderId}</span></h1>
    <p class="lead">!${renderStatus(status)} <strong>${money(totalAmountMinor, currency)}</strong></p>
    !${needs.length === 0 ? '' : renderNeeds(needs, orderId)} !${renderSteps(order)}
    !${renderFacts([
      [
        'Customer',
        html`<a href="/operator/orders?customer=${encodeURIComponent(customerId)}">${customerId}</a> ·
          <a href="${paymentPage}">their page</a>`,
      ],
      ['Ordered', renderTime(order.createdAt)],
      ['Last change', renderTime(order.updatedAt)],
      ['Money kept', text(money(keptAmountMinor, currency))],
      ['Left to refund', text(money(leftToRefund(keptAmountMinor, order.refunds), currency))],
      ['Tracking number', order.trackingNumber === null ? undefined : text(order.trackingNumber)],
    ])}
    !${renderLines(order)} !${renderRefunds(order)} !${renderTimeline(order)}
    <section aria-labelledby="elsewhere">
      <h2 id="elsewhere">Elsewhere</h2>
      !${renderFacts([
        ['Workflow', `${text(workflowInWords(order, workflow))} · ${renderLinkElsewhere(links.temporal, 'Temporal')}`],
        ['Trace', renderLinkElsewhere(links.zipkin, order.traceId)],
        ['Checkout Session', order.checkoutSessionId === null ? undefined : text(order.checkoutSessionId)],
        [
          'Payment',
          order.paymentIntentId === null
            ? undefined
            : links.stripe === null
              ? text(order.paymentIntentId)
              : renderLinkElsewhere(links.stripe, order.paymentIntentId),
        ],
      ])}
    </section>`;
}

/** What can be done with an order as it stands, each with the words of its button. */
export function possibleSteps({ status, timeline }: Pick<OrderRecord, 'status' | 'timeline'>): Map<Step, string> {
  const possible = new Map<Step, string>();
  if (status === 'PENDING' || status === 'WAITING_FOR_PAYMENT') possible.set('cancel', 'Cancel the order');
  if (status === 'PAID') {
    const last = timeline.findLast(({ event }) => event === 'fulfillment.held' || event === 'fulfillment.released');
    if (last?.event === 'fulfillment.held') possible.set('release', 'Ship it anyway');
    possible.set('refund', 'Call off and refund');
  }
  if (status === 'FINISHED') possible.set('refund', 'Refund');
  return possible;
}

function renderSteps(order: OrderRecord): string {
  const links = [...possibleSteps(order)].map(
    ([step, name]) =>
      html`<a class="small ${step === 'release' ? '' : 'quiet'} button" href="${orderPath(order.orderId, step)}"
        >${name}</a
      >`,
  );
  return links.length === 0 ? '' : html`<p class="steps">!${links}</p>`;
}

function renderLines({ lines, currency, totalAmountMinor }: OrderRecord): string {
  const rows = lines.map(({ itemId, name, quantity, unitAmountMinor }) => [
    html`<a href="/operator/items/${encodeURIComponent(itemId)}">${name}</a>`,
    String(quantity),
    text(money(unitAmountMinor, currency)),
    text(money(quantity * unitAmountMinor, currency)),
  ]);
  const columns = [
    { name: 'Item' },
    { name: 'Pieces', isNumber: true },
    { name: 'Each', isNumber: true },
    { name: 'Amount', isNumber: true },
  ];
  const total = [html`Total`, '', '', html`<strong>${money(totalAmountMinor, currency)}</strong>`];
  return renderTable('Lines', columns, [...rows, total]);
}

function renderRefunds({ refunds, lines, currency }: OrderRecord): string {
  const names = new Map(lines.map(({ itemId, name }) => [itemId, name]));
  const columns = [
    { name: 'When' },
    { name: 'Amount', isNumber: true },
    { name: 'Of' },
    { name: 'State' },
    { name: 'Goods' },
    { name: 'Why' },
    { name: 'Who' },
  ];
  return renderTable(
    'Refunds',
    columns,
    refunds.map((refund) => [
      renderTime(refund.createdAt),
      text(money(refund.amountMinor, currency)),
      text(
        refund.items?.map(({ itemId, quantity }) => `${quantity} × ${names.get(itemId) ?? itemId}`).join(', ') ??
          (refund.isWhole ? 'the whole order' : 'an amount'),
      ),
      text(refund.failureReason === null ? refund.state : `${refund.state}: ${refund.failureReason}`),
      refund.restock ? 'back in stock' : 'not back',
      text(refund.reason ?? '–'),
      text(refund.requestedBy ?? (refund.madeAtStripe ? 'at Stripe' : '–')),
    ]),
  );
}

function renderTimeline({ timeline }: OrderRecord): string {
  const entries = timeline.map(({ at, event, detail, data: { by } }, index) => {
    const previous = timeline[index - 1];
    const after = previous === undefined ? '' : `, ${formatDuration(at.getTime() - previous.at.getTime())} later`;
    const who = by === undefined ? '' : html` <span class="by">${by}</span>`;
    return html`<li>
      <p class="when">!${renderTime(at)}${after} · <code>${event}</code> !${who}</p>
      <p>${detail}</p>
    </li>`;
  });
  return html`<section aria-labelledby="timeline">
    <h2 id="timeline">Timeline</h2>
    <ol class="timeline">
      !${entries}
    </ol>
  </section>`;
}

function workflowInWords({ status }: OrderRecord, workflow: WorkflowState): string {
  if (isTerminal(status)) return 'ended';
  if (workflow.found === 'unknown') return 'Temporal does not answer';
  if (!workflow.found) return 'gone';
  const [step] = workflow.pending;
  const work = step === undefined ? '' : `, running ${step.activity} (attempt ${step.attempt})`;
  return `${workflow.status.toLowerCase()}${work}`;
}
