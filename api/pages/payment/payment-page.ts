import { html } from 'ghtml';
import type { OrderRecord } from '../../../database/orders.ts';
import { formatMoney } from '../../../domain/money.ts';
import { refundsOfItsPayment, timelineForCustomer } from '../../order-view.ts';
import { assets } from '../assets.ts';
import type { Texts } from '../languages/english.ts';
import { renderCustomerPage } from '../page.ts';
import { inWords } from '../times.ts';
import { type CustomerWords, describeForCustomer, type Notice } from './customer-words.ts';
import { paymentWindowEnd } from './time-to-pay.ts';

/** How often a browser without scripts asks again. */
const REFRESH_SECONDS = 5;

type Shown = {
  readonly texts: Texts;
  /** The time left to pay is told as of this moment, in ms since 1970. */
  readonly nowMs?: number;
  readonly notice?: Notice | undefined;
  /** The token of the link; the page's own requests need it too. */
  readonly token?: string | undefined;
  /** Whether there is a shop page to lead back to. */
  readonly hasShop?: boolean;
};

/** What the payment page shows of an order. */
export function renderPaymentPage(order: OrderRecord, shown: Shown): string {
  const { texts, notice, token, nowMs = Date.now(), hasShop = false } = shown;
  const words = describeForCustomer(order, texts, notice);
  const total = formatMoney({ amountMinor: order.totalAmountMinor, currency: order.currency }, texts.locale);
  const access = token === undefined ? {} : { token };
  const query = { 'customer-id': order.customerId, 'order-id': order.orderId, ...access };
  const statusQuery = token === undefined ? '' : `?${new URLSearchParams(access).toString()}`;
  const statusUrl = `/api/customer/${encodeURIComponent(order.customerId)}/orders/${order.orderId}${statusQuery}`;
  return renderCustomerPage({
    texts,
    title: `${words.headline} · ${total}`,
    scripts: [assets.times, assets.payment],
    refreshSeconds: words.ended ? undefined : REFRESH_SECONDS,
    query: notice === undefined ? query : { ...query, notice },
    main: html`<article
      id="order"
      class="card"
      data-status-url="${statusUrl}"
      data-seq="${timelineForCustomer(order).length}"
      data-ended="${words.ended}"
      data-offline="${texts.payment.offline}"
    >
      !${renderSteps(words, texts)}
      <header class="${words.tone}">
        <h1 id="headline">${words.headline}</h1>
        <p>${words.text}</p>
        !${words.alerts.map((alert) => html`<p class="alert">${alert}</p>`)} !${renderTracking(order, texts)}
      </header>
      !${words.canPay ? renderPay(order, texts, total) + renderTimeLeft(order, texts, nowMs) : ''}
      !${renderLines(order, texts, total)}
      !${words.canCancel ? renderCancel(new URLSearchParams(query).toString(), texts) : ''}
      !${renderHistory(order, texts)}
      <footer>
        <p>${texts.payment.order} <span class="id">${order.orderId}</span></p>
        !${hasShop ? html`<p><a href="/">${texts.payment.toShop}</a></p>` : ''}
      </footer>
    </article>`,
  });
}

function renderSteps({ step, ended }: CustomerWords, { payment }: Texts): string {
  if (step === undefined) return '';
  const items = payment.steps.map((name, index) => {
    const state = index < step || ended ? 'done' : index === step ? 'now' : 'next';
    const current = state === 'now' ? ' aria-current="step"' : '';
    return html`<li class="${state}" !${current}>${name}</li>`;
  });
  return html`<ol class="steps" aria-label="${payment.progress}">
    !${items}
  </ol>`;
}

function renderTracking({ trackingNumber }: OrderRecord, { payment }: Texts): string {
  if (trackingNumber === null) return '';
  return html`<p class="tracking">${payment.trackingNumber} <strong>${trackingNumber}</strong></p>`;
}

function renderPay({ paymentLink }: OrderRecord, { payment }: Texts, total: string): string {
  // The link comes from Stripe; that it is a web address is checked anyway, since the customer is sent there.
  if (paymentLink === null || !/^https?:/.test(paymentLink)) return '';
  return html`<p><a id="pay" class="button" href="${paymentLink}">${payment.pay(total)}</a></p>`;
}

function renderTimeLeft(order: OrderRecord, texts: Texts, nowMs: number): string {
  const end = paymentWindowEnd(order);
  if (end === undefined) return '';
  const leftMs = end.getTime() - nowMs;
  if (leftMs <= 0) return html`<p class="time-left">${texts.payment.timeIsUp}</p>`;
  const until = html`<time datetime="${end.toISOString()}">${inWords(end, texts.locale)}</time>`;
  // The sentence is escaped already, since the time in it is an element.
  return `<p class="time-left">${texts.payment.timeLeft(durationInWords(leftMs, texts), until)}</p>`;
}

function durationInWords(ms: number, { payment }: Texts): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes === 0) return payment.lessThanAMinute;
  return minutes < 120 ? payment.minutes(minutes) : payment.hoursAndMinutes(Math.floor(minutes / 60), minutes % 60);
}

function renderLines(order: OrderRecord, { locale, payment }: Texts, total: string): string {
  const { lines, currency } = order;
  const money = (amountMinor: number): string => formatMoney({ amountMinor, currency }, locale);
  const rows = lines.map(
    ({ name, quantity, unitAmountMinor }) =>
      html`<tr>
        <th scope="row">${name}<span class="each">${quantity} × ${money(unitAmountMinor)}</span></th>
        <td>${money(quantity * unitAmountMinor)}</td>
      </tr>`,
  );
  // What did not arrive is said at the top of the page.
  const refunds = refundsOfItsPayment(order)
    .filter(({ state }) => state !== 'failed')
    .map(
      ({ state, amountMinor }) =>
        html`<tr class="refund">
          <th scope="row">${state === 'accepted' ? payment.refundedAmount : payment.beingRefunded}</th>
          <td>−${money(amountMinor)}</td>
        </tr>`,
    );
  return html`<table>
    <caption>
      ${payment.yourOrder}
    </caption>
    <thead class="unseen">
      <tr>
        <th scope="col">${payment.item}</th>
        <th scope="col">${payment.amount}</th>
      </tr>
    </thead>
    <tbody>
      !${rows}
    </tbody>
    <tfoot>
      <tr>
        <th scope="row">${payment.total}</th>
        <td>${total}</td>
      </tr>
      !${refunds}
    </tfoot>
  </table>`;
}

function renderCancel(query: string, { payment }: Texts): string {
  return html`<form method="post" action="/payment/cancel?${query}">
    <button id="cancel" class="quiet button" type="submit" data-busy="${payment.cancellingNow}">
      ${payment.cancel}
    </button>
  </form>`;
}

function renderHistory(order: OrderRecord, { locale, payment, timelineEntry }: Texts): string {
  const entries = timelineForCustomer(order).map(
    ({ at, detail }) =>
      html`<li><time datetime="${at.toISOString()}">${inWords(at, locale)}</time> ${timelineEntry(detail)}</li>`,
  );
  return html`<details>
    <summary>${payment.history}</summary>
    <ol class="history">
      !${entries}
    </ol>
  </details>`;
}
