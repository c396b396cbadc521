import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { parseAmount } from '../../../domain/money.ts';
import { operatorOf } from '../../actor.ts';
import type { Dependencies } from '../../dependencies.ts';
import { ApiError, invalidRequest, toApiError } from '../../errors.ts';
import { logFailure } from '../../http-server.ts';
import { changeItemSchema, changeStockSchema, newItemSchema } from '../../item-schemas.ts';
import { deskRoute, formToken, itemPath, sendDeskPage } from './desk.ts';
import { checked, fieldsOf, given } from './form-values.ts';
import { type Entered, renderItemPage, renderItemsPage } from './items-page.ts';
import type { DeskReads } from './reads.ts';

const CHANGES_SHOWN = 50;

const DONE = {
  added: 'The item is there.',
  changed: 'The item is changed, for orders from now on.',
  stock: 'The stock is changed.',
} as const;
type Done = keyof typeof DONE;
const doneSchema = z
  .enum(Object.keys(DONE) as [Done, ...Done[]])
  .optional()
  .catch(undefined);

type Refused = { readonly statusCode?: number; readonly problem?: string; readonly entered?: Entered };

/** The pages of the catalogue. To be registered where operators are signed in. */
export function itemPages({ catalogue }: Pick<Dependencies, 'catalogue'>, reads: DeskReads): FastifyPluginAsync {
  async function sendItems(request: FastifyRequest, reply: FastifyReply, refused: Refused): Promise<FastifyReply> {
    const { entered = {}, ...page } = refused;
    const items = await catalogue.listItems();
    const main = renderItemsPage(items, formToken(request), entered);
    return sendDeskPage(request, reply, { title: 'Items', tab: '/operator/items', main, ...page });
  }

  async function sendItem(request: FastifyRequest, reply: FastifyReply, refused: Refused): Promise<FastifyReply> {
    const { entered = {}, ...page } = refused;
    const itemId = itemIdOf(request);
    const item = await reads.findItem(itemId);
    if (item === undefined) throw new ApiError('noSuchItem', 'There is no such item');
    const changes = await reads.listItemChanges(itemId, CHANGES_SHOWN);
    const done = doneSchema.parse(fieldsOf(request.query)['done']);
    return sendDeskPage(request, reply, {
      title: item.name,
      tab: '/operator/items',
      main: renderItemPage(item, changes, formToken(request), entered),
      done: done && DONE[done],
      ...page,
    });
  }

  /** Does what a form asks for; if it is refused, shows the form again with what was entered. */
  async function attempt(
    request: FastifyRequest,
    reply: FastifyReply,
    show: typeof sendItem,
    change: (fields: Entered) => Promise<string>,
  ): Promise<FastifyReply> {
    const { form: _, ...fields } = fieldsOf(request.body);
    try {
      return await reply.redirect(await change(fields), 303);
    } catch (error) {
      const apiError = toApiError(error);
      logFailure(request, apiError);
      return show(request, reply, { statusCode: apiError.statusCode, problem: apiError.message, entered: fields });
    }
  }

  return async (app) => {
    app.get('/operator/items', deskRoute, async (request, reply) => sendItems(request, reply, {}));
    app.get('/operator/items/:itemID', deskRoute, async (request, reply) => sendItem(request, reply, {}));

    app.post('/operator/items', deskRoute, async (request, reply) =>
      attempt(request, reply, sendItems, async (fields) => {
        const currency = fields['currency']?.trim().toUpperCase() ?? '';
        const item = checked(newItemSchema, {
          item_id: given(fields['item_id']),
          name: given(fields['name']),
          unit_amount_minor: priceOf(fields, currency),
          currency,
          available: asNumber(fields['available']),
          reason: given(fields['reason']),
        });
        const author = { by: operatorOf(request), reason: item.reason };
        await catalogue.addItem(
          {
            itemId: item.item_id,
            name: item.name,
            unitAmountMinor: item.unit_amount_minor,
            currency: item.currency,
            available: item.available,
            onSale: item.on_sale,
          },
          author,
        );
        return `${itemPath(item.item_id)}?done=added`;
      }),
    );

    app.post('/operator/items/:itemID', deskRoute, async (request, reply) =>
      attempt(request, reply, sendItem, async (fields) => {
        const itemId = itemIdOf(request);
        const item = await reads.findItem(itemId);
        const { reason, ...changes } = checked(changeItemSchema, {
          name: given(fields['name']),
          unit_amount_minor: item && priceOf(fields, item.currency),
          on_sale: fields['on_sale'] === 'true',
          reason: given(fields['reason']),
        });
        const { name, unit_amount_minor: unitAmountMinor, on_sale: onSale } = changes;
        await catalogue.changeItem(itemId, { name, unitAmountMinor, onSale }, { by: operatorOf(request), reason });
        return `${itemPath(itemId)}?done=changed`;
      }),
    );

    app.post('/operator/items/:itemID/stock', deskRoute, async (request, reply) =>
      attempt(request, reply, sendItem, async (fields) => {
        const itemId = itemIdOf(request);
        const { change, reason } = checked(changeStockSchema, {
          change: asNumber(fields['change']),
          reason: given(fields['reason']),
        });
        await catalogue.changeStock(itemId, change, { by: operatorOf(request), reason });
        return `${itemPath(itemId)}?done=stock`;
      }),
    );
  };
}

/** @throws ApiError 1000 if it is no amount of the currency */
function priceOf(fields: Entered, currency: string): number {
  const price = parseAmount(fields['price'] ?? '', currency);
  if (price !== undefined) return price;
  throw invalidRequest([
    { path: 'price', problem: 'must be an amount such as 12.50, with no more digits than the currency has' },
  ]);
}

/** Anything else is refused by the schema. */
function asNumber(text: string | undefined): unknown {
  return /^[+-]?\d{1,12}$/.test(text?.trim() ?? '') ? Number(text) : text;
}

function itemIdOf({ params }: FastifyRequest): string {
  return fieldsOf(params)['itemID'] ?? '';
}
