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
        summary: 'List what can be ordered',
        description: 'The items on sale with their price and what is in stock, by name. Nobody has to sign in.',
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
