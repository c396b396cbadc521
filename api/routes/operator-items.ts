import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { operatorOf } from '../actor.ts';
import type { Dependencies } from '../dependencies.ts';
import { success } from '../envelope.ts';
import {
  changeItemSchema,
  changeStockSchema,
  itemSchema,
  itemsSchema,
  newItemSchema,
  toItemView,
} from '../item-schemas.ts';
import { envelopeSchema } from '../schemas.ts';
import { errorResponses } from './error-responses.ts';

const operators = { tags: ['Operators'] };
const oneItem = envelopeSchema(itemSchema);
/** Not checked here: a malformed id is answered as an unknown one is. */
const itemParams = z.object({ itemID: z.string() });

/** The catalogue's operators' side. To be registered where operators are signed in. */
export function operatorItemRoutes({ catalogue }: Pick<Dependencies, 'catalogue'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.route({
      method: 'GET',
      url: '/api/operator/items',
      schema: {
        operationId: 'operatorListItems',
        summary: 'List all items, on sale or not, with their stock',
        ...operators,
        response: { 200: envelopeSchema(itemsSchema), ...errorResponses(401, 429, 500, 503) },
      },
      handler: async (_request, reply) => {
        const items = await catalogue.listItems();
        return reply.code(200).send(success({ items: items.map(toItemView) }));
      },
    });

    app.route({
      method: 'POST',
      url: '/api/operator/items',
      schema: {
        operationId: 'addItem',
        summary: 'Add an item',
        description:
          'A name or a price that Stripe would refuse is refused here, since no order with it could be paid.',
        ...operators,
        body: newItemSchema,
        response: {
          201: oneItem.describe('The item is there.'),
          ...errorResponses(400, 401, 409, 413, 415, 429, 500, 503),
        },
      },
      handler: async (request, reply) => {
        const { body } = request;
        const {
          item_id: itemId,
          name,
          unit_amount_minor: unitAmountMinor,
          currency,
          available,
          on_sale: onSale,
        } = body;
        const author = { by: operatorOf(request), reason: body.reason };
        const item = await catalogue.addItem({ itemId, name, unitAmountMinor, currency, available, onSale }, author);
        return reply.code(201).send(success(toItemView(item)));
      },
    });

    app.route({
      method: 'PATCH',
      url: '/api/operator/items/:itemID',
      schema: {
        operationId: 'changeItem',
        summary: "Change an item's name or price, or take it off sale",
        description:
          'For orders that are made from now on: those that exist keep their names and prices, and go on if an item is ' +
          'taken off sale. Sent again it changes nothing.',
        ...operators,
        params: itemParams,
        body: changeItemSchema,
        response: { 200: oneItem, ...errorResponses(400, 401, 404, 413, 415, 429, 500, 503) },
      },
      handler: async (request, reply) => {
        const { params, body } = request;
        const fields = { name: body.name, unitAmountMinor: body.unit_amount_minor, onSale: body.on_sale };
        const item = await catalogue.changeItem(params.itemID, fields, {
          by: operatorOf(request),
          reason: body.reason,
        });
        return reply.code(200).send(success(toItemView(item)));
      },
    });

    app.route({
      method: 'POST',
      url: '/api/operator/items/:itemID/stock',
      schema: {
        operationId: 'changeStock',
        summary: 'Add stock that has come in, or take out what is lost',
        description:
          'Never below 0: what orders hold is theirs. Sent again it is done again; read the item if an answer was lost.',
        ...operators,
        params: itemParams,
        body: changeStockSchema,
        response: { 200: oneItem, ...errorResponses(400, 401, 404, 409, 413, 415, 429, 500, 503) },
      },
      handler: async (request, reply) => {
        const { change, reason } = request.body;
        const item = await catalogue.changeStock(request.params.itemID, change, {
          by: operatorOf(request),
          reason,
        });
        return reply.code(200).send(success(toItemView(item)));
      },
    });
  };
}
