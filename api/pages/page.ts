import type { FastifyReply } from 'fastify';
import { html } from 'ghtml';
import type { ApiError } from '../errors.ts';
import { type Asset, assets } from './assets.ts';
import { otherLanguages } from './languages/language.ts';
import type { Texts } from './languages/english.ts';

/** A page loads our own styles and scripts, asks our own API, and is shown in nobody's frame. */
const contentSecurityPolicy = {
  useDefaults: false,
  directives: {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'"],
    connectSrc: ["'self'"],
    imgSrc: ['data:'],
    formAction: ["'self'"],
    baseUri: ["'none'"],
    frameAncestors: ["'none'"],
  },
};

/** What every route of a page has: also what goes wrong on it is told on a page. */
export const pageRoute = { helmet: { contentSecurityPolicy } };

type Frame = {
  readonly title: string;
  /** BCP 47. */
  readonly locale: string;
  readonly styles: readonly Asset[];
  readonly scripts: readonly Asset[];
  /** Seconds after which a browser without scripts loads the page again. */
  readonly refreshSeconds?: number | undefined;
  /** More of the page's head; HTML that is already escaped. */
  readonly head?: string;
  /** HTML that is already escaped. */
  readonly body: string;
};

/** The frame of all pages. */
export function renderFrame({ title, locale, styles, scripts, refreshSeconds, head = '', body }: Frame): string {
  return html`<!doctype html>
    <html lang="${locale}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <meta name="color-scheme" content="light dark" />
        <title>${title}</title>
        <link rel="icon" href="data:," />
        !${head} !${styles.map(({ url }) => html`<link rel="stylesheet" href="${url}" />`)}
        !${
          refreshSeconds === undefined
            ? ''
            : html`<noscript><meta http-equiv="refresh" content="${refreshSeconds}" /></noscript>`
        }
        !${scripts.map(({ url }) => html`<script type="module" src="${url}"></script>`)}
      </head>
      <body>
        !${body}
      </body>
    </html> `;
}

type CustomerPage = Pick<Frame, 'title' | 'refreshSeconds'> & {
  readonly texts: Texts;
  readonly scripts?: readonly Asset[];
  /** HTML that is already escaped. */
  readonly main: string;
  /** What the page's address has after its question mark; the links to other languages keep it. */
  readonly query?: Readonly<Record<string, string>>;
};

/** A page for customers, in their language. */
export function renderCustomerPage(page: CustomerPage): string {
  const { title, texts, scripts = [], main, query = {}, refreshSeconds } = page;
  const others = otherLanguages(texts, query).map(
    ({ name, locale, query: address }) => html`<a href="?${address}" hreflang="${locale}" lang="${locale}">${name}</a>`,
  );
  return renderFrame({
    title,
    locale: texts.locale,
    styles: [assets.base, assets.customer],
    scripts,
    refreshSeconds,
    body: html`<main>!${main}</main>
      <nav class="languages" aria-label="${texts.chooseLanguage}">!${others}</nav>
      <p id="announcement" class="unseen" role="status"></p>`,
  });
}

/** A page with nothing but a message, such as that there is no such order. */
export function renderMessagePage(texts: Texts, { title, text }: { readonly title: string; readonly text: string }) {
  return renderCustomerPage({
    texts,
    title,
    main: html`<section class="card">
      <h1>${title}</h1>
      <p>${text}</p>
    </section>`,
  });
}

/** What a page says of an error that is about nothing on it. */
export function errorTextOf({ statusCode }: ApiError, { errors }: Texts) {
  if (statusCode === 429) return errors.tooManyRequests;
  if (statusCode < 500) return errors.unreadable;
  return statusCode === 503 ? errors.away : errors.ours;
}

export function sendPage(reply: FastifyReply, statusCode: number, page: string): FastifyReply {
  return reply.code(statusCode).type('text/html; charset=utf-8').header('cache-control', 'no-store').send(page);
}
