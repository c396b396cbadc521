import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import type { Dependencies } from '../dependencies.ts';
import { success } from '../envelope.ts';
import { itemsOnSaleSchema, toItemOnSaleView } from '../item-schemas.ts';
import { envelopeSchema } from '../schemas.ts';
import { errorResponses } from './error-responses.ts';

export function listItemsRoute({ catalogue }: Pick<Dependencies, 'catalogue'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.route({
      method: 'GET',
      url: '/api/items',
      schema: {
        operationId: 'listItems',
        summary: 'List the items on sale',
        description: 'The items that can be ordered, with price and stock, by name. No sign-in is needed.',
        tags: ['Orders'],
        response: { 200: envelopeSchema(itemsOnSaleSchema), ...errorResponses(429, 500, 503) },
      },
      handler: async (_request, reply) => {
        const items = await catalogue.listItemsOnSale();
        return reply.code(200).send(success({ items: items.map(toItemOnSaleView) }));
      },
    });
  };
}
