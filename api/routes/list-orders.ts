import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Dependencies } from '../dependencies.ts';
import { success } from '../envelope.ts';
import { customerOrdersQuery, customerOrdersSchema, toOrdersView } from '../page-schemas.ts';
import { customerIdSchema, envelopeSchema } from '../schemas.ts';
import { errorResponses } from './error-responses.ts';

export function listOrdersRoute({ listOrders }: Pick<Dependencies, 'listOrders'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.route({
      method: 'GET',
      url: '/api/customer/:customerID/orders',
      schema: {
        operationId: 'listOrders',
        summary: "List a customer's orders",
        description: 'The newest first, page by page. New orders do not move others to another page.',
        tags: ['Orders'],
        params: z.object({ customerID: customerIdSchema }),
        querystring: customerOrdersQuery,
        response: { 200: envelopeSchema(customerOrdersSchema), ...errorResponses(400, 429, 500, 503) },
      },
      handler: async ({ params: { customerID: customerId }, query: { status, limit, cursor } }, reply) => {
        const page = await listOrders({ customerId, status }, { limit, after: cursor });
        return reply.code(200).send(success(toOrdersView(page)));
      },
    });
  };
}
