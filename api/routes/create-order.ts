import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { createOrder } from '../create-order.ts';
import { type Dependencies, paymentPageUrl } from '../dependencies.ts';
import { success } from '../envelope.ts';
import { invalidRequest } from '../errors.ts';
import {
  createdOrderSchema,
  createOrderSchema,
  customerIdSchema,
  envelopeSchema,
  idempotencyKeySchema,
} from '../schemas.ts';
import { errorResponses } from './error-responses.ts';

export function createOrderRoute(dependencies: Dependencies): FastifyPluginAsyncZod {
  return async (app) => {
    app.route({
      method: 'POST',
      url: '/api/customer/:customerID/create',
      schema: {
        operationId: 'createOrder',
        summary: 'Create an order',
        description:
          'Deducts the stock of all lines, or of none, and answers with the page on which the customer pays. ' +
          'With an Idempotency-Key the request can be repeated safely: the answer is the same order.',
        tags: ['Orders'],
        params: z.object({ customerID: customerIdSchema }),
        headers: z.looseObject({ 'idempotency-key': idempotencyKeySchema }),
        body: createOrderSchema,
        response: {
          200: envelopeSchema(createdOrderSchema),
          ...errorResponses(400, 404, 409, 413, 415, 422, 429, 500, 503),
        },
      },
      handler: async (request) => {
        const { customerID: customerId } = request.params;
        if (request.body.customerID !== customerId) {
          throw invalidRequest([{ path: 'customerID', problem: 'must be the customerID of the path' }]);
        }
        const created = await createOrder(dependencies, {
          customerId,
          lines: request.body.items.map(({ itemID, quantity }) => ({ itemId: itemID, quantity })),
          idempotencyKey: request.headers['idempotency-key'],
          ip: request.ip,
        });
        return success(
          {
            customer_id: customerId,
            order_id: created.orderId,
            redirect_url: paymentPageUrl(dependencies.publicUrl, created),
          },
          created.traceId,
        );
      },
    });
  };
}
