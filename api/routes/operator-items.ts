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
/** Not validated here: a malformed id gets the same answer as an unknown one. */
const itemParams = z.object({ itemID: z.string() });

/** The operators' side of the catalogue. Register it only with the operators' guards in place. */
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
        description: 'A name or price that Stripe would refuse is refused, since no order with it could be paid.',
        ...operators,
        body: newItemSchema,
        response: {
          201: oneItem.describe('The item was added.'),
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
          'For new orders only: existing ones keep their names and prices, and go on if an item is taken off sale. A ' +
          'repeat changes nothing.',
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
        summary: 'Add stock, or remove what is lost',
        description:
          'What orders hold can’t be removed. A repeat is a second change; read the item if an answer was lost.',
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
