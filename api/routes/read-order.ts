import { fastifyEtag } from '@fastify/etag';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { envelopeSchema, orderSchema } from '../schemas.ts';
import { type Dependencies, readOrder } from '../dependencies.ts';
import { success } from '../envelope.ts';
import { toOrderView } from '../order-view.ts';
import { errorResponses } from './error-responses.ts';

/** Not the schemas of the create: a malformed id gets the same answer as an unknown one. */
export const orderParams = z.object({ customerID: z.string(), orderID: z.string() });

export function readOrderRoute(dependencies: Dependencies): FastifyPluginAsyncZod {
  return async (app) => {
    await app.register(fastifyEtag, { algorithm: 'sha256' });
    app.route({
      method: 'GET',
      url: '/api/customer/:customerID/orders/:orderID',
      schema: {
        operationId: 'readOrder',
        summary: 'Read an order',
        description:
          'Answers 304 without a body if If-None-Match has the ETag of the last answer, so polling is cheap.',
        tags: ['Orders'],
        params: orderParams,
        response: {
          200: envelopeSchema(orderSchema),
          304: z.undefined().describe('Nothing has changed since.'),
          ...errorResponses(400, 404, 429, 500, 503),
        },
      },
      handler: async (request, reply) => {
        const order = await readOrder(dependencies, request.params.customerID, request.params.orderID);
        reply.header('cache-control', 'private, no-cache');
        return reply.code(200).send(success(toOrderView(order), order.traceId));
      },
    });
  };
}
