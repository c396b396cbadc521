import { html } from 'ghtml';

/** The form with which an operator signs in. */
export function renderSignIn(next: string): string {
  return html`<section class="card narrow">
    <h1>Operators’ desk</h1>
    <form class="stack" method="post" action="/operator/sign-in">
      <input type="hidden" name="next" value="${next}" />
      <label class="field"
        >Your operator token
        <input type="password" name="token" autocomplete="current-password" required autofocus />
      </label>
      <button class="button" type="submit">Sign in</button>
    </form>
    <p class="hint">
      OPERATOR_TOKEN, or a token of the shop’s identity provider with the operators’ scope. You are signed out after a
      working day.
    </p>
  </section>`;
}
