import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { OrderRecord } from '../../database/orders.ts';
import { leftToRefund } from '../../domain/refund.ts';
import { type Dependencies, readAnyOrder } from '../dependencies.ts';
import { success } from '../envelope.ts';
import { toOrderView, toRefundView } from '../order-view.ts';
import { operatorOrdersQuery, operatorOrdersSchema, toOrdersView } from '../page-schemas.ts';
import { envelopeSchema, operatorOrderSchema } from '../schemas.ts';
import { errorResponses } from './error-responses.ts';

export const operatorOrder = envelopeSchema(operatorOrderSchema);

/** How operators find and read orders. Register it only with the operators' guards in place. */
export function operatorOrderRoutes(
  dependencies: Pick<Dependencies, 'findOrder' | 'listOrders'>,
): FastifyPluginAsyncZod {
  return async (app) => {
    app.route({
      method: 'GET',
      url: '/api/operator/orders',
      schema: {
        operationId: 'operatorListOrders',
        summary: 'List orders, or find one by any id that support has',
        description:
          'The newest first, page by page. Filters can be combined. New orders do not move others to another page.',
        tags: ['Operators'],
        querystring: operatorOrdersQuery,
        response: { 200: envelopeSchema(operatorOrdersSchema), ...errorResponses(400, 401, 429, 500, 503) },
      },
      handler: async ({ query }, reply) => {
        const filter = {
          orderId: query.order_id,
          customerId: query.customer,
          status: query.status,
          paymentIntentId: query.payment_intent,
          checkoutSessionId: query.checkout_session,
          trackingNumber: query.tracking_number,
          createdFrom: query.created_from,
          createdTo: query.created_to,
        };
        const page = await dependencies.listOrders(filter, { limit: query.limit, after: query.cursor });
        return reply.code(200).send(success(toOrdersView(page)));
      },
    });

    app.route({
      method: 'GET',
      url: '/api/operator/orders/:orderID',
      schema: {
        operationId: 'operatorReadOrder',
        summary: 'Read an order, with its ids at Stripe, in Temporal and in Zipkin',
        tags: ['Operators'],
        params: z.object({ orderID: z.string() }),
        response: { 200: operatorOrder, ...errorResponses(400, 401, 404, 429, 500, 503) },
      },
      handler: async ({ params }, reply) => {
        const order = await readAnyOrder(dependencies, params.orderID);
        return reply.code(200).send(success(toOperatorView(order), order.traceId));
      },
    });
  };
}

export function toOperatorView(order: OrderRecord): z.output<typeof operatorOrderSchema> {
  return {
    ...toOrderView(order, order.timeline),
    timeline: order.timeline.map(({ at, status, event, detail, data }) => ({
      at: at.toISOString(),
      status,
      event,
      detail,
      by: data.by ?? null,
    })),
    refunds: order.refunds.map((refund) => ({
      ...toRefundView(refund),
      refund_id: refund.refundId,
      restock: refund.restock,
      by: refund.requestedBy,
      failure_reason: refund.failureReason,
      stripe_refund_id: refund.stripeRefundId,
      made_at_stripe: refund.madeAtStripe,
    })),
    left_amount_minor: leftToRefund(order.keptAmountMinor, order.refunds),
    kept_amount_minor: order.keptAmountMinor,
    checkout_session_id: order.checkoutSessionId,
    payment_intent_id: order.paymentIntentId,
    workflow_id: order.orderId,
    trace_id: order.traceId,
  };
}
