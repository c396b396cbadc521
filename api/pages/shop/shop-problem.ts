import { z } from 'zod';
import { MAX_LINES } from '../../../domain/order-lines.ts';
import { type Dependencies, paymentPageUrl } from '../../dependencies.ts';
import type { ApiError } from '../../errors.ts';
import type { Texts } from '../languages/english.ts';

/** Why no order was made, in the customer's words. */
export type ShopProblem = {
  readonly text: string;
  /** What is wrong with the quantity of an item, by item. */
  readonly items?: ReadonlyMap<string, string>;
  /** The customer's own orders that have to be paid or cancelled first. */
  readonly openOrders?: readonly { readonly orderId: string; readonly url: string }[];
};

const shortages = z.object({ items: z.array(z.object({ item_id: z.string(), available: z.number() })) });
const openOrders = z.object({ of: z.enum(['customer', 'address']), order_ids: z.array(z.string()) });

/** Says what an order of the shop page was refused for. */
export async function problemOf(
  error: ApiError,
  { shop: { problems } }: Texts,
  { orderLinks }: Pick<Dependencies, 'orderLinks'>,
  customerId: string,
): Promise<ShopProblem> {
  switch (error.kind) {
    case 'outOfStock': {
      const { items } = shortages.parse(error.data);
      const told = items.map(({ item_id: itemId, available }) => [itemId, problems.shortage(available)] as const);
      return { text: problems.someShort, items: new Map(told) };
    }
    case 'unknownItem':
      return { text: problems.notOnSale };
    // The page sends nothing else that could be wrong.
    case 'invalidRequest':
      return { text: problems.mixedCurrencies };
    case 'tooManyOrders': {
      const { of, order_ids: orderIds } = openOrders.parse(error.data);
      if (of === 'address' || orderIds.length === 0) return { text: problems.tooManyFromHere };
      return { text: problems.tooManyOrders, openOrders: await linksTo(orderIds, customerId, orderLinks) };
    }
    case 'keyReused':
      return { text: problems.changedMeanwhile };
    case 'unavailable':
    case 'noWorkflow':
      return { text: problems.away };
    default:
      return { text: problems.ours };
  }
}

async function linksTo(orderIds: readonly string[], customerId: string, orderLinks: Dependencies['orderLinks']) {
  const links: { readonly orderId: string; readonly url: string }[] = [];
  for (const orderId of orderIds) {
    const token = await orderLinks?.sign(orderId);
    links.push({ orderId, url: paymentPageUrl('', { customerId, orderId, token }) });
  }
  return links;
}

export type Choice = { readonly itemId: string; readonly quantity: number };

/**
 * Reads the quantities of the form.
 *
 * @param entered what was entered, by item
 */
export function readChoices(
  entered: ReadonlyMap<string, string>,
  { shop: { problems } }: Texts,
  maxQuantity: number,
): { readonly choices: readonly Choice[]; readonly problem: ShopProblem | undefined } {
  const wrong = new Map<string, string>();
  const choices: Choice[] = [];
  for (const [itemId, text] of entered) {
    const quantity = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
    if (!(quantity <= maxQuantity)) wrong.set(itemId, problems.badQuantity(maxQuantity));
    else if (quantity > 0) choices.push({ itemId, quantity });
  }
  if (wrong.size > 0) return { choices, problem: { text: problems.badQuantity(maxQuantity), items: wrong } };
  if (choices.length === 0) return { choices, problem: { text: problems.nothingChosen } };
  if (choices.length > MAX_LINES) return { choices, problem: { text: problems.tooManyLines(MAX_LINES) } };
  return { choices, problem: undefined };
}
