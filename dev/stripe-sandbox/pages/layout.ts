import { html } from 'ghtml';

/** The document around a page. `body` is HTML already; the title is text. */
export function layout(title: string, body: string): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <title>${title}</title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href="/c/style.css" />
      </head>
      <body>
        <aside class="banner" aria-label="About this page">
          <p>
            <strong>Local Stripe sandbox.</strong> No real money moves here. Pay with 4242 4242 4242 4242, and never
            type a real card.
          </p>
        </aside>
        !${body}
      </body>
    </html>`;
}

/** A page that says one thing, with a way on. */
export function messagePage(title: string, message: string, link?: { href: string; text: string }): string {
  return layout(
    title,
    html`<main>
      <section class="card single">
        <h1>${title}</h1>
        <p>${message}</p>
        !${link === undefined ? '' : html`<p><a href="${link.href}">${link.text}</a></p>`}
      </section>
    </main>`,
  );
}
