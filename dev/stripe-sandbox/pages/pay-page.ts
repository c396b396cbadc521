import { html } from 'ghtml';
import { TEST_CARDS, type CardForm, type CardFormErrors } from '../cards.ts';
import { formatAmount } from '../money.ts';
import { takesBankDebit } from '../sessions.ts';
import type { SessionRecord } from '../store.ts';
import { layout } from './layout.ts';

export const BANK_ACCOUNT_PAYS = '000123456789';
export const BANK_ACCOUNT_FAILS = '000111111113';

export type PayForm = CardForm & { method: 'card' | 'bank'; bankAccount: string };
export type PayFormErrors = CardFormErrors & { bankAccount?: string };

export const EMPTY_PAY_FORM: PayForm = {
  method: 'card',
  number: '',
  expiry: '',
  cvc: '',
  name: '',
  bankAccount: BANK_ACCOUNT_PAYS,
};

/** The page on which a customer pays: what is bought, the total, and the form with what was typed before. */
export function payPage(record: SessionRecord, form: PayForm, errors: PayFormErrors, alert?: string): string {
  const { session } = record;
  const amount = (amountMinor: number) => formatAmount(amountMinor, session.currency ?? 'usd');
  const total = amount(session.amount_total ?? 0);
  const lines = record.lines.map(
    (line) =>
      html`<li>
        <span class="name">${line.name}<small>${line.quantity} × ${amount(line.unitAmount)}</small></span>
        <span class="amount">${amount(line.unitAmount * line.quantity)}</span>
      </li>`,
  );
  const back =
    session.cancel_url === null ? '' : html`<a class="back" href="${session.cancel_url}">← Back to the shop</a>`;
  return layout(
    `Pay ${total}`,
    html`<main class="two">
      <section aria-label="Your order">
        !${back}
        <h1>Your order</h1>
        <p class="total">${total}</p>
        <ul class="lines">
          !${lines}
          <li class="sum"><span>Total</span><span class="amount">${total}</span></li>
        </ul>
      </section>
      <section class="card" aria-labelledby="pay-title">
        <h2 id="pay-title">Payment</h2>
        !${alert === undefined ? '' : html`<p class="alert" role="alert">${alert}</p>`}
        <form method="post" action="/c/pay/${session.id}" novalidate>
          !${takesBankDebit(session.currency) ? methodChoice(form) : html`<input type="hidden" name="method" value="card" />`}
          !${cardFields(form, errors)} !${takesBankDebit(session.currency) ? bankFields(form, errors) : ''}
          <button type="submit">Pay ${total}</button>
        </form>
        !${testCards()}
      </section>
    </main>`,
  );
}

function methodChoice({ method }: PayForm): string {
  return html`<fieldset>
    <legend>Pay by</legend>
    <label class="choice"
      ><input type="radio" name="method" value="card" id="method-card" !${method === 'card' ? 'checked' : ''} />
      Card</label
    >
    <label class="choice"
      ><input type="radio" name="method" value="bank" id="method-bank" !${method === 'bank' ? 'checked' : ''} /> Bank
      debit (takes a while)</label
    >
  </fieldset>`;
}

type Field = {
  name: keyof PayForm & keyof PayFormErrors;
  label: string;
  autocomplete: string;
  placeholder?: string;
  numeric?: boolean;
  maxlength: number;
  hint?: string;
};

function field(form: PayForm, errors: PayFormErrors, of: Field): string {
  const error = errors[of.name];
  const described = [error === undefined ? '' : `${of.name}-error`, of.hint === undefined ? '' : `${of.name}-hint`];
  return html`<div class="field">
    <label class="title" for="${of.name}">${of.label}</label>
    <input
      class="text ${of.numeric === true ? 'number' : ''}"
      type="text"
      id="${of.name}"
      name="${of.name}"
      value="${form[of.name]}"
      autocomplete="${of.autocomplete}"
      inputmode="${of.numeric === true ? 'numeric' : 'text'}"
      placeholder="${of.placeholder ?? ''}"
      maxlength="${of.maxlength}"
      aria-invalid="${error === undefined ? 'false' : 'true'}"
      aria-describedby="${described.join(' ').trim()}"
    />
    !${error === undefined ? '' : html`<p class="error" id="${of.name}-error">${error}</p>`}
    !${of.hint === undefined ? '' : html`<p class="hint" id="${of.name}-hint">${of.hint}</p>`}
  </div>`;
}

function cardFields(form: PayForm, errors: PayFormErrors): string {
  return html`<div class="by-card">
    !${field(form, errors, {
      name: 'number',
      label: 'Card number',
      autocomplete: 'cc-number',
      placeholder: '4242 4242 4242 4242',
      numeric: true,
      maxlength: 23,
    })}
    <div class="pair">
      !${field(form, errors, {
        name: 'expiry',
        label: 'Expiry (MM / YY)',
        autocomplete: 'cc-exp',
        placeholder: 'MM / YY',
        maxlength: 9,
      })}
      !${field(form, errors, {
        name: 'cvc',
        label: 'CVC',
        autocomplete: 'cc-csc',
        placeholder: '123',
        numeric: true,
        maxlength: 4,
      })}
    </div>
    !${field(form, errors, { name: 'name', label: 'Name on card', autocomplete: 'cc-name', maxlength: 100 })}
  </div>`;
}

function bankFields(form: PayForm, errors: PayFormErrors): string {
  return html`<div class="bank">
    !${field(form, errors, {
      name: 'bankAccount',
      label: 'Account number',
      autocomplete: 'off',
      numeric: true,
      maxlength: 17,
      hint: `The bank answers after half a minute: ${BANK_ACCOUNT_PAYS} pays, ${BANK_ACCOUNT_FAILS} is refused.`,
    })}
  </div>`;
}

function testCards(): string {
  const rows = TEST_CARDS.map(
    ({ number, says }) =>
      html`<tr>
        <td class="digits">${grouped(number)}</td>
        <td>${says}</td>
      </tr>`,
  );
  return html`<details>
    <summary>Test cards</summary>
    <p class="hint">With any expiry that is not over and any CVC.</p>
    <table>
      <thead>
        <tr>
          <th scope="col">Number</th>
          <th scope="col">What happens</th>
        </tr>
      </thead>
      <tbody>
        !${rows}
      </tbody>
    </table>
  </details>`;
}

function grouped(number: string): string {
  return number.length === 15
    ? number.replace(/(\d{4})(\d{6})(\d{5})/, '$1 $2 $3')
    : (number.match(/\d{4}/g) ?? []).join(' ');
}
