import { html } from 'ghtml';
import type { OrderRecord } from '../../database/orders.ts';
import { timelineForCustomer } from '../order-view.ts';
import { formatMoney } from '../../domain/money.ts';
import { type CustomerWords, describeForCustomer, type Notice } from './customer-words.ts';
import { renderPage } from './page.ts';

const STEPS = ['Ordered', 'Payment', 'Packing', 'Shipped'];

type Shown = {
  readonly notice?: Notice | undefined;
  /** The token of the link; the page's own requests need it too. */
  readonly token?: string | undefined;
};

/** What the payment page shows of an order. */
export function renderPaymentPage(order: OrderRecord, { notice, token }: Shown = {}): string {
  const words = describeForCustomer(order, notice);
  const total = formatMoney({ amountMinor: order.totalAmountMinor, currency: order.currency });
  const access = token === undefined ? {} : { token };
  const ids = { 'customer-id': order.customerId, 'order-id': order.orderId };
  const query = new URLSearchParams({ ...ids, ...access }).toString();
  const statusQuery = token === undefined ? '' : `?${new URLSearchParams(access).toString()}`;
  const statusUrl = `/api/customer/${encodeURIComponent(order.customerId)}/orders/${order.orderId}${statusQuery}`;
  return renderPage({
    title: `${words.headline} · ${total}`,
    follows: !words.ended,
    main: html`<article
      id="order"
      class="card"
      data-status-url="${statusUrl}"
      data-seq="${timelineForCustomer(order).length}"
      data-ended="${words.ended}"
    >
      !${renderSteps(words)}
      <header class="${words.tone}">
        <h1 id="headline">${words.headline}</h1>
        <p>${words.text}</p>
        !${words.alerts.map((alert) => html`<p class="alert">${alert}</p>`)} !${renderTracking(order)}
      </header>
      !${renderPay(order, words, total)} !${renderLines(order, total)} !${words.canCancel ? renderCancel(query) : ''}
      !${renderHistory(order)}
      <footer>
        <p>Order <span class="id">${order.orderId}</span></p>
      </footer>
    </article>`,
  });
}

function renderSteps({ step, ended }: CustomerWords): string {
  if (step === undefined) return '';
  const items = STEPS.map((name, index) => {
    const state = index < step || ended ? 'done' : index === step ? 'now' : 'next';
    const current = state === 'now' ? ' aria-current="step"' : '';
    return html`<li class="${state}" !${current}>${name}</li>`;
  });
  return html`<ol class="steps" aria-label="How far your order is">
    !${items}
  </ol>`;
}

function renderTracking({ trackingNumber }: OrderRecord): string {
  if (trackingNumber === null) return '';
  return html`<p class="tracking">Tracking number <strong>${trackingNumber}</strong></p>`;
}

function renderPay({ paymentLink }: OrderRecord, { canPay }: CustomerWords, total: string): string {
  // The link is Stripe's; that it is a web address is checked all the same, for it is where the customer is sent.
  if (!canPay || paymentLink === null || !/^https?:/.test(paymentLink)) return '';
  return html`<p><a id="pay" class="pay" href="${paymentLink}">Pay ${total}</a></p>`;
}

function renderLines({ lines, currency }: OrderRecord, total: string): string {
  const money = (amountMinor: number): string => formatMoney({ amountMinor, currency });
  const rows = lines.map(
    ({ name, quantity, unitAmountMinor }) =>
      html`<tr>
        <th scope="row">${name}<span class="each">${quantity} × ${money(unitAmountMinor)}</span></th>
        <td>${money(quantity * unitAmountMinor)}</td>
      </tr>`,
  );
  return html`<table>
    <caption>
      Your order
    </caption>
    <thead class="unseen">
      <tr>
        <th scope="col">Item</th>
        <th scope="col">Amount</th>
      </tr>
    </thead>
    <tbody>
      !${rows}
    </tbody>
    <tfoot>
      <tr>
        <th scope="row">Total</th>
        <td>${total}</td>
      </tr>
    </tfoot>
  </table>`;
}

function renderCancel(query: string): string {
  return html`<form method="post" action="/payment/cancel?${query}">
    <button id="cancel" class="cancel" type="submit">Cancel this order</button>
  </form>`;
}

function renderHistory(order: OrderRecord): string {
  const entries = timelineForCustomer(order).map(
    ({ at, detail }) => html`<li><time datetime="${at.toISOString()}">${inWords(at)}</time> ${detail}</li>`,
  );
  return html`<details>
    <summary>What happened so far</summary>
    <ol class="history">
      !${entries}
    </ol>
  </details>`;
}

/** The script writes the time as it is where the customer is; without it, it says whose time it is. */
function inWords(at: Date): string {
  const time = at.toLocaleString('en-GB', { dateStyle: 'long', timeStyle: 'short', timeZone: 'UTC' });
  return `${time} UTC`;
}
