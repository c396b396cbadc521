/** What all pages of the operators' desk have in common. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { html } from 'ghtml';
import { formatDuration } from '../../../domain/duration.ts';
import { minorUnitDigits, moneyFormat } from '../../../domain/money.ts';
import type { OrderStatus } from '../../../domain/order-status.ts';
import { assets } from '../assets.ts';
import { pageRoute, renderFrame, sendPage } from '../page.ts';
import { inWords } from '../times.ts';
import type { OperatorSession } from './sessions.ts';

/** What every route of the desk has. It is for people; the API's document tells of the routes for programs. */
export const deskRoute = { ...pageRoute, schema: { hide: true } };

/** The desk speaks English, as logs, alerts and the runbook do. */
const LOCALE = 'en-GB';

const TABS = [
  ['/operator', 'Today'],
  ['/operator/orders', 'Orders'],
  ['/operator/items', 'Items'],
] as const;

export type Tab = (typeof TABS)[number][0];

declare module 'fastify' {
  interface FastifyRequest {
    /** Set on the pages of the desk that an operator has to sign in for; null everywhere else. */
    operatorSession: OperatorSession | null;
  }
}

type DeskPage = {
  readonly title: string;
  /** The tab that the page belongs to. */
  readonly tab: Tab;
  /** HTML that is already escaped. */
  readonly main: string;
  readonly statusCode?: number;
  /** What has just been done. */
  readonly done?: string | undefined;
  /** Why it was not done. */
  readonly problem?: string | undefined;
  /** What was searched for. */
  readonly searched?: string | undefined;
};

/** Answers with a page of the desk. */
export function sendDeskPage(request: FastifyRequest, reply: FastifyReply, page: DeskPage): FastifyReply {
  const { title, tab, main, statusCode = 200, done, problem, searched = '' } = page;
  const tabs = TABS.map(([path, name]) => {
    const current = path === tab ? ' aria-current="page"' : '';
    return html`<a href="${path}" !${current}>${name}</a>`;
  });
  const { operatorSession: session } = request;
  const head =
    session === null
      ? ''
      : html`<header class="bar">
          <nav aria-label="Desk">!${tabs}</nav>
          <form class="search" action="/operator/orders" role="search">
            <input
              type="search"
              name="q"
              value="${searched}"
              aria-label="Search orders"
              placeholder="Any id, customer, tracking number"
            />
            <button class="small button" type="submit">Search</button>
          </form>
          <form class="who" method="post" action="/operator/sign-out">
            !${formToken(request)} <span>${session.name}</span>
            <button class="small quiet button" type="submit">Sign out</button>
          </form>
        </header>`;
  return sendPage(
    reply,
    statusCode,
    renderFrame({
      title: `${title} · Desk`,
      locale: LOCALE,
      styles: [assets.base, assets.desk],
      scripts: [assets.times],
      body: html`!${head}
        <main>
          !${done === undefined ? '' : html`<p class="done" role="status">${done}</p>`}
          !${problem === undefined ? '' : html`<p class="alert" role="alert">${problem}</p>`} !${main}
        </main>`,
    }),
  );
}

/** The hidden field without which a form of the desk is refused. */
export function formToken({ operatorSession }: FastifyRequest): string {
  return html`<input type="hidden" name="form" value="${operatorSession?.formToken ?? ''}" />`;
}

/** A moment, which the script shows in the operator's own time zone. */
export function renderTime(at: Date): string {
  return html`<time datetime="${at.toISOString()}">${inWords(at, LOCALE)}</time>`;
}

/** How long ago something was. */
export function ageOf(at: Date): string {
  return formatDuration(Date.now() - at.getTime());
}

const moneyFormats = new Map<string, Intl.NumberFormat>();

export function money(amountMinor: number, currency: string): string {
  // A format takes 0.1 ms to make, and a list has many amounts.
  const format = moneyFormats.get(currency) ?? moneyFormat(currency);
  moneyFormats.set(currency, format);
  return format.format(amountMinor / 10 ** minorUnitDigits(currency));
}

export function renderStatus(status: OrderStatus): string {
  return html`<span class="status ${status.toLowerCase()}">${status.replaceAll('_', ' ')}</span>`;
}

export function orderPath(orderId: string, step = ''): string {
  return `/operator/orders/${encodeURIComponent(orderId)}${step === '' ? '' : `/${step}`}`;
}

export function renderOrderLink(orderId: string): string {
  return html`<a class="id" href="${orderPath(orderId)}">${orderId}</a>`;
}

export function itemPath(itemId: string, step = ''): string {
  return `/operator/items/${encodeURIComponent(itemId)}${step === '' ? '' : `/${step}`}`;
}

/** A link to another site; text alone if it is no web address. */
export function renderLinkElsewhere(url: string, text: string): string {
  return /^https?:\/\//.test(url) ? html`<a href="${url}" rel="noreferrer">${text}</a>` : html`${text}`;
}

export type Column = { readonly name: string; readonly isNumber?: boolean };

/**
 * A table; a wide one becomes a list of cards on a phone.
 *
 * @param rows cells of HTML that is already escaped; the first one names the row
 */
export function renderTable(caption: string, columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  const head = columns.map(
    ({ name, isNumber }) => html`<th scope="col" class="${isNumber ? 'number' : ''}">${name}</th>`,
  );
  const body = rows.map((cells) => {
    const [first = '', ...others] = cells;
    const tds = others.map((cell, index) => {
      const column = columns[index + 1];
      return html`<td data-name="${column?.name ?? ''}" class="${column?.isNumber ? 'number' : ''}">!${cell}</td>`;
    });
    return html`<tr>
      <th scope="row">!${first}</th>
      !${tds}
    </tr>`;
  });
  return html`<table class="${columns.length > 3 ? 'wide' : ''}">
    <caption>
      ${caption}
    </caption>
    <thead>
      <tr>
        !${head}
      </tr>
    </thead>
    <tbody>
      !${body}
    </tbody>
  </table>`;
}

/** Names and values, one under the other. Values are HTML that is already escaped; those that are undefined are left out. */
export function renderFacts(facts: readonly (readonly [name: string, value: string | undefined])[]): string {
  const shown = facts.filter(([, value]) => value !== undefined);
  return html`<dl class="facts">
    !${shown.map(
      ([name, value]) =>
        html`<div>
          <dt>${name}</dt>
          <dd>!${value}</dd>
        </div>`,
    )}
  </dl>`;
}

export function text(value: string): string {
  return html`${value}`;
}
