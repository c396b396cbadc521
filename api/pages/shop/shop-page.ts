import { html } from 'ghtml';
import type { ItemOnSale } from '../../../database/items.ts';
import { MAX_QUANTITY } from '../../../domain/order-lines.ts';
import { formatMoney, minorUnitDigits } from '../../../domain/money.ts';
import { assets } from '../assets.ts';
import type { Texts } from '../languages/english.ts';
import { renderCustomerPage } from '../page.ts';
import type { ShopProblem } from './shop-problem.ts';

/** From here on it is worth saying how many there are. */
const FEW = 10;

type Shown = {
  readonly texts: Texts;
  readonly items: readonly ItemOnSale[];
  /** What was entered, by item; it is shown again as it was. */
  readonly entered?: ReadonlyMap<string, string>;
  readonly problem?: ShopProblem | undefined;
  /** Hidden fields of the form: whose order it is, and its idempotency key. */
  readonly guest: string;
  readonly key: string;
};

/** What is on sale, with a form that orders it. */
export function renderShopPage({ texts, items, entered = new Map(), problem, guest, key }: Shown): string {
  const { shop } = texts;
  const canOrder = items.some(({ available }) => available > 0);
  return renderCustomerPage({
    texts,
    title: problem === undefined ? shop.title : `${shop.problems.heading} · ${shop.title}`,
    scripts: [assets.shop],
    main: html`<section class="card">
      <header>
        <h1>${shop.title}</h1>
        <p>${items.length === 0 ? shop.nothingOnSale : shop.intro}</p>
      </header>
      !${problem === undefined ? '' : renderProblem(problem, texts)}
      !${
        items.length === 0
          ? ''
          : html`<form method="post" action="/" novalidate>
              <input type="hidden" name="key" value="${key}" />
              <input type="hidden" name="guest" value="${guest}" />
              <ul class="goods" aria-label="${shop.items}">
                !${items.map((item, index) => renderItem(item, index, texts, entered, problem))}
              </ul>
              <p id="total" class="total" hidden data-locale="${texts.locale}">${shop.total} <output></output></p>
              !${
                canOrder
                  ? html`<button id="order" class="button" type="submit" data-busy="${shop.ordering}">
                      ${shop.order}
                    </button>`
                  : ''
              }
            </form>`
      }
    </section>`,
  });
}

function renderProblem({ text, openOrders = [] }: ShopProblem, { shop }: Texts): string {
  const links = openOrders.map(
    ({ orderId, url }) => html`<li><a href="${url}">${shop.problems.openOrder(orderId)}</a></li>`,
  );
  return html`<div id="problem" class="alert" role="alert">
    <strong>${shop.problems.heading}</strong>
    <p>${text}</p>
    !${links.length === 0 ? '' : `<ul>${links.join('')}</ul>`}
  </div>`;
}

function renderItem(
  item: ItemOnSale,
  index: number,
  texts: Texts,
  entered: ReadonlyMap<string, string>,
  problem: ShopProblem | undefined,
): string {
  const { shop, locale } = texts;
  const { itemId, name, unitAmountMinor, currency, available } = item;
  const wrong = problem?.items?.get(itemId);
  const [kind, stock] = wrong === undefined ? stockInWords(available, texts) : ['wrong', wrong];
  const price = formatMoney({ amountMinor: unitAmountMinor, currency }, locale);
  return html`<li>
    <div>
      <label for="quantity-${index}">${name}</label>
      <span class="each">${shop.each(price)}</span>
      <span id="stock-${index}" class="stock ${kind}">${stock}</span>
    </div>
    !${
      available === 0 && !entered.has(itemId)
        ? ''
        : html`<input
            id="quantity-${index}"
            name="quantity:${itemId}"
            type="number"
            inputmode="numeric"
            min="0"
            max="${Math.min(available, MAX_QUANTITY)}"
            step="1"
            placeholder="0"
            value="${entered.get(itemId) ?? ''}"
            aria-label="${shop.quantityOf(name)}"
            aria-describedby="stock-${index}"
            aria-invalid="${wrong !== undefined}"
            data-unit="${unitAmountMinor}"
            data-currency="${currency}"
            data-digits="${minorUnitDigits(currency)}"
          />`
    }
  </li>`;
}

function stockInWords(available: number, { shop }: Texts): readonly [kind: 'none' | 'few' | 'enough', text: string] {
  if (available === 0) return ['none', shop.outOfStock];
  return available <= FEW ? ['few', shop.fewLeft(available)] : ['enough', shop.inStock];
}
