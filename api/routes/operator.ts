import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { emptyBodySchema, idempotencyKeySchema, operatorCancelSchema, refundOrderSchema } from '../schemas.ts';
import { operatorOf } from '../actor.ts';
import { cancelOrder } from '../cancel-order.ts';
import type { Dependencies } from '../dependencies.ts';
import { success } from '../envelope.ts';
import { refund } from '../refund.ts';
import { releaseOrder } from '../release-order.ts';
import { errorResponses } from './error-responses.ts';
import { operatorEventRoutes } from './operator-events.ts';
import { operatorItemRoutes } from './operator-items.ts';
import { operatorOrder, operatorOrderRoutes, toOperatorView } from './operator-orders.ts';

/** Not validated here: a malformed id gets the same answer as an unknown one. */
const orderParams = z.object({ orderID: z.string() });

/** The operators' routes; addSignIn lets nobody else in. They exist only with sign-in or OPERATOR_TOKEN. */
export function operatorRoutes(dependencies: Dependencies): FastifyPluginAsyncZod {
  return async (app) => {
    await app.register(operatorOrderRoutes(dependencies));
    await app.register(operatorItemRoutes(dependencies));
    await app.register(operatorEventRoutes(dependencies));

    app.route({
      method: 'POST',
      url: '/api/operator/orders/:orderID/cancel',
      schema: {
        operationId: 'operatorCancelOrder',
        summary: "Cancel a customer's order",
        description:
          'The payment link is closed, the stock is given back, and a payment that arrives meanwhile is refunded. Once ' +
          'fulfillment has begun it answers 2001: refund the order instead. A repeat changes nothing.',
        tags: ['Operators'],
        params: orderParams,
        body: operatorCancelSchema,
        response: {
          200: operatorOrder.describe('The order has ended.'),
          202: operatorOrder.describe('The order is being cancelled; read it to see how it ends.'),
          ...errorResponses(400, 401, 404, 409, 413, 415, 429, 500, 503),
        },
      },
      handler: async (request, reply) => {
        const { reason } = request.body;
        const actor = { by: 'operator', reason, operator: operatorOf(request) } as const;
        const { order, ended } = await cancelOrder(dependencies, request.params.orderID, actor);
        const view = toOperatorView(order);
        return ended
          ? reply.code(200).send(success(view, order.traceId))
          : reply.code(202).send(success(view, order.traceId, 'the order is being cancelled'));
      },
    });

    app.route({
      method: 'POST',
      url: '/api/operator/orders/:orderID/refund',
      schema: {
        operationId: 'refundOrder',
        summary: 'Refund an order',
        description:
          'A paid order whose shipment can still be called off, or a finished one, with or without restock. REFUNDED ' +
          'means that Stripe has accepted the refund. A repeat changes nothing.',
        tags: ['Operators'],
        params: orderParams,
        headers: z.looseObject({ 'idempotency-key': idempotencyKeySchema }),
        body: refundOrderSchema,
        response: {
          200: operatorOrder.describe('Stripe has accepted the refund.'),
          202: operatorOrder.describe('The refund is under way; read the order to see how it ends.'),
          ...errorResponses(400, 401, 404, 409, 413, 415, 422, 429, 500, 503),
        },
      },
      handler: async (request, reply) => {
        const { order, outcome } = await refund(dependencies, request.params.orderID, request.body, {
          operator: operatorOf(request),
          key: request.headers['idempotency-key'],
        });
        const view = toOperatorView(order);
        return outcome === 'underWay'
          ? reply.code(202).send(success(view, order.traceId, 'the order is being refunded'))
          : reply.code(200).send(success(view, order.traceId));
      },
    });

    app.route({
      method: 'POST',
      url: '/api/operator/orders/:orderID/release',
      schema: {
        operationId: 'releaseOrder',
        summary: 'Ship a paid order although its payment is in doubt',
        description:
          'An order is held back while its payment is disputed, in review, or suspected of fraud (HOLD_SHIPMENT_FOR). ' +
          'Released, it is shipped, and the risk is the shop’s. A new doubt holds it again.',
        tags: ['Operators'],
        params: orderParams,
        body: emptyBodySchema,
        response: {
          200: operatorOrder.describe('The order is released; read it to see how its shipment goes.'),
          ...errorResponses(400, 401, 404, 409, 413, 415, 429, 500, 503),
        },
      },
      handler: async (request, reply) => {
        const order = await releaseOrder(dependencies, request.params.orderID, operatorOf(request));
        return reply.code(200).send(success(toOperatorView(order), order.traceId, 'the order is released'));
      },
    });
  };
}
