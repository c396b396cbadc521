import { randomUUID } from 'node:crypto';
import { html } from 'ghtml';
import type { OrderRecord } from '../../../database/orders.ts';
import type { RefundRecord } from '../../../database/refunds.ts';
import { unreachable } from '../../../domain/must.ts';
import { leftToRefund } from '../../../domain/refund.ts';
import { DEFAULT_CANCEL_REASON, DEFAULT_REFUND_REASON } from '../../schemas.ts';
import { money, orderPath } from './desk.ts';
import type { Step } from './order-page.ts';

type Confirmation = {
  readonly title: string;
  /** What will happen, sentence by sentence. */
  readonly will: readonly string[];
  /** Fields of the form; HTML that is already escaped. */
  readonly fields: string;
  readonly button: string;
  readonly back: string;
};

/** What is entered in the form of a step. */
export type StepEntered = Readonly<Record<string, string>>;

/** Says what a step will do with an order, and asks once more. */
export function renderStepPage(order: OrderRecord, step: Step, formToken: string, entered: StepEntered): string {
  const { title, will, fields, button, back } = confirmationOf(order, step, entered);
  const path = orderPath(order.orderId);
  return html`<section class="card">
    <h1>${title}</h1>
    <p>
      Order <a class="id" href="${path}">${order.orderId}</a> of customer <strong>${order.customerId}</strong>,
      <strong>${money(order.totalAmountMinor, order.currency)}</strong>
    </p>
    <ul>
      !${will.map((sentence) => html`<li>${sentence}</li>`)}
    </ul>
    <form method="post" action="${orderPath(order.orderId, step)}">
      !${formToken} !${fields}
      <p class="steps">
        <button class="small button" type="submit">${button}</button>
        <a class="small quiet button" href="${path}">${back}</a>
      </p>
    </form>
  </section>`;
}

function confirmationOf(order: OrderRecord, step: Step, entered: StepEntered): Confirmation {
  const goods = order.lines.map(({ quantity, name }) => `${quantity} × ${name}`).join(', ');
  const left = money(leftToRefund(order.keptAmountMinor, order.refunds), order.currency);
  const isShipped = order.status === 'FINISHED';
  switch (step) {
    case 'cancel':
      return {
        title: 'Cancel this order?',
        will: [
          'The payment link is closed, and the customer owes nothing.',
          `Back into stock: ${goods}.`,
          'If a payment arrives in this moment, it is refunded in full.',
        ],
        fields: renderReason(entered['reason'] ?? DEFAULT_CANCEL_REASON),
        button: 'Cancel the order',
        back: 'Keep it',
      };
    case 'refund':
      return {
        title: isShipped ? 'Refund this order?' : 'Call this order off and refund it?',
        will: isShipped
          ? [
              `All that is left, ${left}, or a part of it goes back to the customer.`,
              'The order becomes REFUNDED once nothing is left.',
            ]
          : [
              `All that is left, ${left}, goes back to the customer, and the shipment is called off. If the goods have left already, nothing is refunded, and you can ask again.`,
              'If you refund a part, the rest is shipped.',
            ],
        fields:
          renderParts(order, entered, left) +
          renderRestock(entered['restock'] ?? String(!isShipped)) +
          renderReason(entered['reason'] ?? DEFAULT_REFUND_REASON),
        button: 'Refund',
        back: 'Leave it as it is',
      };
    case 'release':
      return {
        title: 'Ship this order anyway?',
        will: [
          order.timeline.findLast(({ event }) => event === 'fulfillment.held')?.detail ?? 'Nothing holds it now.',
          `It is shipped all the same: ${goods}. The risk is the shop’s.`,
          'A doubt that comes up later holds it again.',
        ],
        fields: '',
        button: 'Ship it',
        back: 'Keep holding it',
      };
    default:
      return unreachable(step);
  }
}

/** Says what a refund of a part comes to, and asks once more. */
export function renderPartConfirmation(
  order: OrderRecord,
  { items, restock, reason }: Pick<RefundRecord, 'items' | 'restock' | 'reason'>,
  amountMinor: number,
  formToken: string,
  entered: StepEntered,
): string {
  const { orderId, lines, currency } = order;
  const names = new Map(lines.map(({ itemId, name }) => [itemId, name]));
  const pieces = items?.map(({ itemId, quantity }) => `${quantity} × ${names.get(itemId) ?? itemId}`).join(', ');
  const amount = money(amountMinor, currency);
  const left = leftToRefund(order.keptAmountMinor, order.refunds) - amountMinor;
  const will = [
    pieces === undefined
      ? `${amount} goes back to the customer.`
      : `${amount} goes back to the customer, for ${pieces}.`,
    restock ? `Back into stock: ${pieces ?? 'nothing'}.` : 'Nothing goes back into stock.',
    left === 0 ? 'Nothing is left then, and the order becomes REFUNDED.' : `${money(left, currency)} is left then.`,
    `The customer reads: ${reason ?? ''}`,
  ];
  // The token of the form is a new one.
  const again = Object.entries({ ...entered, sure: 'yes' })
    .filter(([name]) => name !== 'form')
    .map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}" />`);
  return html`<section class="card">
    <h1>Refund ${amount} of ${money(order.totalAmountMinor, currency)}?</h1>
    <p>
      Order <a class="id" href="${orderPath(orderId)}">${orderId}</a> of customer <strong>${order.customerId}</strong>
    </p>
    <ul>
      !${will.map((sentence) => html`<li>${sentence}</li>`)}
    </ul>
    <form method="post" action="${orderPath(orderId, 'refund')}">
      !${formToken} !${again}
      <p class="steps">
        <button class="small button" type="submit">Refund ${amount}</button>
        <a class="small quiet button" href="${orderPath(orderId, 'refund')}">Change it</a>
      </p>
    </form>
  </section>`;
}

function renderReason(reason: string): string {
  return html`<label class="field"
    >Reason, which the customer reads
    <input name="reason" value="${reason}" maxlength="200" required />
  </label>`;
}

/** How much goes back: all, an amount, or pieces at the price that they were sold for. */
function renderParts({ lines, currency }: OrderRecord, entered: StepEntered, left: string): string {
  const option = (value: string, name: string) => {
    const checked = (entered['what'] ?? 'whole') === value ? ' checked' : '';
    return html`<label><input type="radio" name="what" value="${value}" !${checked} required /> ${name}</label>`;
  };
  const pieces = lines.map(
    ({ itemId, name, quantity, unitAmountMinor }) =>
      html`<label class="field"
        >${name}, ${money(unitAmountMinor, currency)} each, ${quantity} in the order
        <input name="pieces:${itemId}" value="${entered[`pieces:${itemId}`] ?? ''}" inputmode="numeric" placeholder="0"
      /></label>`,
  );
  return html`<input type="hidden" name="key" value="${entered['key'] ?? randomUUID()}" />
    <fieldset class="field">
      <legend>How much</legend>
      !${option('whole', `All that is left, ${left}`)} !${option('amount', 'An amount')}
      !${option('pieces', 'Some pieces')}
    </fieldset>
    <details !${entered['what'] === undefined || entered['what'] === 'whole' ? '' : 'open'}>
      <summary>Amount or pieces</summary>
      <label class="field"
        >Amount in ${currency}
        <input name="amount" value="${entered['amount'] ?? ''}" inputmode="decimal" placeholder="12.50"
      /></label>
      !${pieces}
    </details>`;
}

function renderRestock(restock: string): string {
  const option = (value: string, name: string) => {
    const checked = restock === value ? ' checked' : '';
    return html`<label><input type="radio" name="restock" value="${value}" !${checked} required /> ${name}</label>`;
  };
  return html`<fieldset class="field">
    <legend>The goods; an amount alone brings none back</legend>
    !${option('true', 'go back into stock')} !${option('false', 'do not come back')}
  </fieldset>`;
}
