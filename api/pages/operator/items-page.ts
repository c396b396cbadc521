import { html } from 'ghtml';
import type { ItemChange } from '../../../database/item-changes.ts';
import type { ItemRecord } from '../../../database/items.ts';
import { amountToEnter } from '../../../domain/money.ts';
import { itemPath, money, renderFacts, renderTable, renderTime, text } from './desk.ts';

/** From here on somebody should think of ordering more. */
const FEW = 10;

/** What was entered in a form, by field. */
export type Entered = Readonly<Record<string, string>>;

/** All items with their stock, and a form that adds one. */
export function renderItemsPage(items: readonly ItemRecord[], formToken: string, entered: Entered): string {
  return html`<h1>Items</h1>
    !${
      items.length === 0
        ? html`<p>There are no items yet.</p>`
        : renderTable(
            'All items',
            [
              { name: 'Item' },
              { name: 'Price', isNumber: true },
              { name: 'Available', isNumber: true },
              { name: 'Held or left', isNumber: true },
              { name: 'On sale' },
            ],
            items.map((item) => [
              html`<a href="${itemPath(item.itemId)}">${item.name}</a>`,
              text(money(item.unitAmountMinor, item.currency)),
              html`<span class="${item.available <= FEW ? 'few' : ''}">${item.available}</span>`,
              String(item.held),
              item.onSale ? 'yes' : html`<span class="off">no</span>`,
            ]),
          )
    }
    <details !${Object.keys(entered).length > 0 ? 'open' : ''}>
      <summary>Add an item</summary>
      <form class="card stack" method="post" action="/operator/items">
        !${formToken} !${field('Item id, which never changes', 'item_id', entered, 'maxlength="128" required')}
        !${field('Name, as customers read it', 'name', entered, 'maxlength="250" required')}
        !${field('Price', 'price', entered, 'inputmode="decimal" placeholder="12.50" required')}
        !${field('Currency', 'currency', { currency: 'USD', ...entered }, 'maxlength="3" required')}
        !${field('Pieces in stock', 'available', { available: '0', ...entered }, 'inputmode="numeric" required')}
        !${field('Why', 'reason', entered, 'maxlength="200"')}
        <button class="small button" type="submit">Add the item</button>
      </form>
    </details>`;
}

/** An item with forms that change it, and who has changed it. */
export function renderItemPage(
  item: ItemRecord,
  changes: readonly ItemChange[],
  formToken: string,
  entered: Entered,
): string {
  const { itemId, name, unitAmountMinor, currency, onSale, available, held } = item;
  const now = { name, price: amountToEnter({ amountMinor: unitAmountMinor, currency }), on_sale: String(onSale) };
  const shown = { ...now, ...entered };
  return html`<h1>${name}</h1>
    !${renderFacts([
      ['Item id', html`<span class="id">${itemId}</span>`],
      ['Price', text(money(unitAmountMinor, currency))],
      ['Available', html`<span class="${available <= FEW ? 'few' : ''}">${available}</span>`],
      ['Held by orders, or left with them', String(held)],
      ['On sale', onSale ? 'yes' : 'no'],
    ])}
    <div class="columns">
      <form class="card stack" method="post" action="${itemPath(itemId, 'stock')}">
        <h2>Stock</h2>
        !${formToken}
        !${field('Pieces that came in; with a minus, that are lost', 'change', entered, 'placeholder="25 or -3" required')}
        !${field('Why', 'reason', entered, 'maxlength="200" required')}
        <button class="small button" type="submit">Change the stock</button>
      </form>
      <form class="card stack" method="post" action="${itemPath(itemId)}">
        <h2>Name, price, sale</h2>
        !${formToken} !${field('Name', 'name', shown, 'maxlength="250" required')}
        !${field(`Price in ${currency}`, 'price', shown, 'inputmode="decimal" required')}
        <label class="field"
          >On sale
          <select name="on_sale">
            !${option('true', 'yes', shown['on_sale'])} !${option('false', 'no', shown['on_sale'])}
          </select></label
        >
        !${field('Why', 'reason', entered, 'maxlength="200"')}
        <p class="hint">For orders from now on; those that exist keep their names and prices.</p>
        <button class="small button" type="submit">Change the item</button>
      </form>
    </div>
    !${renderChanges(changes, currency)}`;
}

function field(label: string, name: string, entered: Entered, attributes: string): string {
  return html`<label class="field"
    >${label} <input name="${name}" value="${entered[name] ?? ''}" !${attributes}
  /></label>`;
}

function option(value: string, name: string, chosen: string | undefined): string {
  const selected = value === chosen ? ' selected' : '';
  return html`<option value="${value}" !${selected}>${name}</option>`;
}

function renderChanges(changes: readonly ItemChange[], currency: string): string {
  return renderTable(
    'Changes, the last one first',
    [{ name: 'When' }, { name: 'Who' }, { name: 'What' }, { name: 'Why' }],
    changes.map(({ at, by, reason, oldValues, newValues }) => [
      renderTime(at),
      text(by),
      text(whatChanged(oldValues, newValues, currency)),
      text(reason ?? '–'),
    ]),
  );
}

function whatChanged(
  oldValues: Readonly<Record<string, unknown>> | null,
  newValues: Readonly<Record<string, unknown>>,
  currency: string,
): string {
  if (oldValues === null) return 'added';
  return Object.entries(newValues)
    .map(([name, value]) => {
      const [before, after] = [oldValues[name], value].map((shown) =>
        name === 'unitAmountMinor' ? money(Number(shown), currency) : String(shown),
      );
      return `${NAMES[name] ?? name}: ${before} → ${after}`;
    })
    .join(', ');
}

const NAMES: Readonly<Record<string, string>> = {
  unitAmountMinor: 'price',
  onSale: 'on sale',
  available: 'available',
  name: 'name',
};
