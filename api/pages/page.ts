import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { html } from 'ghtml';

/** Files that pages load. The address changes with the content, so that browsers may keep them for good. */
export const assets = {
  style: asset('payment.css', 'text/css; charset=utf-8'),
  script: asset('payment.js', 'text/javascript; charset=utf-8'),
};

export type Asset = ReturnType<typeof asset>;

function asset(name: string, contentType: string) {
  const content = readFileSync(new URL(`assets/${name}`, import.meta.url), 'utf8');
  const version = createHash('sha256').update(content).digest('hex').slice(0, 12);
  const path = `/payment/${name}`;
  return { path, url: `${path}?v=${version}`, contentType, content };
}

type Page = {
  readonly title: string;
  /** HTML that is escaped already. */
  readonly main: string;
  /** Whether the page follows its order: with the script, or without it by loading itself again. */
  readonly follows: boolean;
};

/** How often a browser without scripts asks again. */
const REFRESH_SECONDS = 5;

/** The frame of all pages. */
export function renderPage({ title, main, follows }: Page): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <meta name="color-scheme" content="light dark" />
        <title>${title}</title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href="${assets.style.url}" />
        !${follows ? html`<noscript><meta http-equiv="refresh" content="${REFRESH_SECONDS}" /></noscript>` : ''}
        <script type="module" src="${assets.script.url}"></script>
      </head>
      <body>
        <main>!${main}</main>
        <p id="announcement" class="unseen" role="status"></p>
      </body>
    </html> `;
}

/** A page that only says something, such as that there is no such order. */
export function renderMessagePage(title: string, text: string): string {
  return renderPage({
    title,
    follows: false,
    main: html`<section class="card">
      <h1>${title}</h1>
      <p>${text}</p>
    </section>`,
  });
}
