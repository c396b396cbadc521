import { html } from 'ghtml';
import { formatAmount } from '../money.ts';
import { layout } from './layout.ts';

/** What stands for the page of the customer's bank. */
export function threeDSecurePage(paymentIntentId: string, amountMinor: number, currency: string): string {
  return layout(
    'Confirm your payment',
    html`<main>
      <section class="card single">
        <h1>Your bank asks you to confirm ${formatAmount(amountMinor, currency)}</h1>
        <p>This stands for your bank's 3-D Secure page. Nothing is charged until you confirm.</p>
        <form method="post" action="/c/3ds/${paymentIntentId}">
          <button type="submit" name="result" value="pass">Complete authentication</button>
          <button class="second" type="submit" name="result" value="fail">Fail authentication</button>
        </form>
      </section>
    </main>`,
  );
}
