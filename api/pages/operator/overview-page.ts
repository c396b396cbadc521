import { html } from 'ghtml';
import type { StatusTotal } from '../../../database/desk.ts';
import type { ListedOrder } from '../../../database/order-pages.ts';
import type { Reconciliation } from '../../../database/reconciliations.ts';
import { describeDifference } from '../../../domain/books.ts';
import type { OpenOrders } from '../../../database/order-statistics.ts';
import { formatDuration } from '../../../domain/duration.ts';
import { orderStatuses } from '../../../domain/order-status.ts';
import { money, renderOrderLink, renderStatus, renderTable, renderTime } from './desk.ts';
import type { Need } from './needs-a-person.ts';
import { renderOrders } from './orders-page.ts';

type Overview = {
  readonly needs: readonly Need[];
  /** Whether there are more needs than these. */
  readonly more: boolean;
  readonly open: readonly OpenOrders[];
  readonly today: readonly StatusTotal[];
  readonly newest: readonly ListedOrder[];
  /** The last comparison with Stripe; undefined if there was none yet. */
  readonly books: Reconciliation | undefined;
};

/** The first page of the desk: what waits for a person, and how the day goes. */
export function renderOverview({ needs, more, open, today, newest, books }: Overview): string {
  return html`<h1>Today</h1>
    <section aria-labelledby="needs">
      <h2 id="needs">Needs you</h2>
      !${needs.length === 0 ? html`<p class="calm">Nothing. All orders are looked after.</p>` : renderNeeds(needs)}
      !${more ? html`<p>There are more like these; fix the ones above first.</p>` : ''}
    </section>
    <div class="columns">
      <section>!${renderOpen(open)}</section>
      <section>!${renderToday(today)}</section>
    </div>
    <section>
      !${newest.length === 0 ? html`<p>No orders yet.</p>` : renderOrders('Newest orders', newest)}
      <p><a href="/operator/orders">All orders</a></p>
    </section>
    !${books === undefined ? '' : renderBooks(books)}`;
}

/** @param of the order whose own page it is; it needs no link to itself */
export function renderNeeds(needs: readonly Need[], of?: string): string {
  const items = needs.map(
    ({ orderId, what, message, fix, since }) =>
      html`<li>
        <p class="need">
          <strong>${what}</strong> !${orderId === of ? '' : renderOrderLink(orderId)} !${renderTime(since)}
        </p>
        <p>${message}</p>
        <p class="fix">${fix}</p>
      </li>`,
  );
  return html`<ul class="needs">
    !${items}
  </ul>`;
}

/** What Stripe has of the payments of the last comparison, and what the rows say. */
function renderBooks({ startedAt, lookedFrom, balance, differing, differences }: Reconciliation): string {
  const rows = balance.lines.flatMap(({ currency, atStripe, here }) =>
    [['At Stripe', atStripe] as const, ['Here', here] as const].map(([where, sums]) => [
      html`${where}`,
      ...[sums.chargedMinor, sums.refundedMinor, sums.lostMinor, sums.keptMinor].map(
        (amountMinor) => html`${money(amountMinor, currency)}`,
      ),
    ]),
  );
  const problems = differences.map(
    (difference) => html`<li>!${renderOrderLink(difference.orderId)} ${describeDifference(difference)}</li>`,
  );
  return html`<section aria-labelledby="books">
    <h2 id="books">Money, compared with Stripe</h2>
    <p class="${differing === 0 ? 'calm' : 'alert'}">
      ${differing === 0 ? 'The books agree' : `${differing} payments differ; see docs/operations.md, “BooksDiffer”`}, as
      of !${renderTime(startedAt)}. Looked at: payments since !${renderTime(lookedFrom)}.
    </p>
    !${problems.length === 0 ? '' : `<ul>${problems.join('')}</ul>`}
    !${renderTable(
      'Balance of these payments',
      [
        { name: 'Where' },
        { name: 'Charged', isNumber: true },
        { name: 'Refunded', isNumber: true },
        { name: 'Lost', isNumber: true },
        { name: 'Kept', isNumber: true },
      ],
      rows,
    )}
  </section>`;
}

function renderOpen(open: readonly OpenOrders[]): string {
  const order = new Map(orderStatuses.map((status, index) => [status, index]));
  const rows = [...open]
    .sort((left, right) => (order.get(left.status) ?? 0) - (order.get(right.status) ?? 0))
    .map(({ status, count, oldestSeconds }) => [
      html`<a href="/operator/orders?status=${status}">!${renderStatus(status)}</a>`,
      String(count),
      count === 0 ? '–' : formatDuration(oldestSeconds * 1000),
    ]);
  return renderTable(
    'Open orders',
    [{ name: 'Status' }, { name: 'Orders', isNumber: true }, { name: 'Oldest', isNumber: true }],
    rows,
  );
}

function renderToday(today: readonly StatusTotal[]): string {
  if (today.length === 0)
    return html`<h2>Last 24 hours</h2>
      <p>No orders.</p>`;
  const rows = orderStatuses.flatMap((status) =>
    today
      .filter((total) => total.status === status)
      .map(({ count, totalAmountMinor, currency }) => [
        renderStatus(status),
        String(count),
        html`${money(totalAmountMinor, currency)}`,
      ]),
  );
  return renderTable(
    'Orders of the last 24 hours',
    [{ name: 'Status' }, { name: 'Orders', isNumber: true }, { name: 'In all', isNumber: true }],
    rows,
  );
}
