import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { emptyBodySchema, envelopeSchema, orderSchema } from '../schemas.ts';
import { cancelOrder } from '../cancel-order.ts';
import type { Dependencies } from '../dependencies.ts';
import { success } from '../envelope.ts';
import { toOrderView } from '../order-view.ts';
import { errorResponses } from './error-responses.ts';
import { orderParams } from './read-order.ts';

export function cancelOrderRoute(dependencies: Dependencies): FastifyPluginAsyncZod {
  return async (app) => {
    app.route({
      method: 'POST',
      url: '/api/customer/:customerID/orders/:orderID/cancel',
      schema: {
        operationId: 'cancelOrder',
        summary: 'Cancel an order',
        description:
          'The stock is released, and a payment that has arrived is refunded. Once fulfillment has begun, the order can ' +
          'no longer be cancelled. A repeat changes nothing.',
        tags: ['Orders'],
        params: orderParams,
        body: emptyBodySchema,
        response: {
          200: envelopeSchema(orderSchema).describe('The order has ended.'),
          202: envelopeSchema(orderSchema).describe('The order is being cancelled; read it to see how it ends.'),
          ...errorResponses(400, 404, 409, 413, 415, 429, 500, 503),
        },
      },
      handler: async (request, reply) => {
        const { customerID: customerId, orderID: orderId } = request.params;
        const { order, ended } = await cancelOrder(dependencies, orderId, { by: 'customer', customerId });
        return ended
          ? reply.code(200).send(success(toOrderView(order), order.traceId))
          : reply.code(202).send(success(toOrderView(order), order.traceId, 'the order is being cancelled'));
      },
    });
  };
}
