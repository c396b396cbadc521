import { html } from 'ghtml';
import type { ListedOrder } from '../../../database/order-pages.ts';
import { orderStatuses } from '../../../domain/order-status.ts';
import { ageOf, money, renderOrderLink, renderStatus, renderTable, renderTime } from './desk.ts';

/** What the form of the list of orders sends; empty fields do not filter. */
export type OrdersFilter = {
  readonly status: string;
  readonly customer: string;
  readonly from: string;
  readonly to: string;
};

type Orders = {
  readonly filter: OrdersFilter;
  readonly orders: readonly ListedOrder[];
  readonly nextCursor: string | null;
  /** What was searched for and not found. */
  readonly notFound?: string | undefined;
};

/** The list of orders with its filters. */
export function renderOrdersPage({ filter, orders, nextCursor, notFound }: Orders): string {
  const given = Object.entries(filter).filter(([, value]) => value !== '');
  const next = new URLSearchParams({ ...Object.fromEntries(given), cursor: nextCursor ?? '' }).toString();
  return html`<h1>Orders</h1>
    !${notFound === undefined ? '' : html`<p class="alert" role="status">There is nothing with the id “${notFound}”.</p>`}
    !${renderFilter(filter)}
    !${orders.length === 0 ? html`<p>No such orders.</p>` : renderOrders('Orders, the newest first', orders)}
    !${nextCursor === null ? '' : html`<p><a class="next" href="/operator/orders?${next}">Older orders</a></p>`}`;
}

function renderFilter({ status, customer, from, to }: OrdersFilter): string {
  const options = orderStatuses.map((name) => {
    const selected = name === status ? ' selected' : '';
    return html`<option value="${name}" !${selected}>${name.replaceAll('_', ' ')}</option>`;
  });
  return html`<form class="filter" action="/operator/orders">
    <label
      >Status
      <select name="status">
        <option value="">Any</option>
        !${options}
      </select></label
    >
    <label>Customer <input name="customer" value="${customer}" maxlength="128" /></label>
    <label>From (UTC) <input type="date" name="from" value="${from}" /></label>
    <label>Up to (UTC) <input type="date" name="to" value="${to}" /></label>
    <button class="small button" type="submit">Show</button>
  </form>`;
}

export function renderOrders(caption: string, orders: readonly ListedOrder[]): string {
  return renderTable(
    caption,
    [
      { name: 'Order' },
      { name: 'Status' },
      { name: 'Total', isNumber: true },
      { name: 'Customer' },
      { name: 'Ordered' },
      { name: 'Last change', isNumber: true },
    ],
    orders.map(({ orderId, status, totalAmountMinor, currency, customerId, createdAt, updatedAt }) => [
      renderOrderLink(orderId),
      renderStatus(status),
      html`${money(totalAmountMinor, currency)}`,
      html`<a href="/operator/orders?customer=${encodeURIComponent(customerId)}">${customerId}</a>`,
      renderTime(createdAt),
      html`${ageOf(updatedAt)} ago`,
    ]),
  );
}
