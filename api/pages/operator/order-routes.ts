import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { parseAmount } from '../../../domain/money.ts';
import { isTerminal } from '../../../domain/order-status.ts';
import { decidePart } from '../../../domain/refund.ts';
import { operatorOf } from '../../actor.ts';
import { cancelOrder } from '../../cancel-order.ts';
import { type Dependencies, paymentPageUrl, readAnyOrder } from '../../dependencies.ts';
import { ApiError, toApiError } from '../../errors.ts';
import { logFailure } from '../../http-server.ts';
import { operatorOrdersQuery, toOrdersView } from '../../page-schemas.ts';
import { refund } from '../../refund.ts';
import { releaseOrder } from '../../release-order.ts';
import { operatorCancelSchema, refundOrderSchema } from '../../schemas.ts';
import { deskRoute, formToken, orderPath, sendDeskPage } from './desk.ts';
import { checked, fieldsOf, given } from './form-values.ts';
import { listNeeds, needsOf } from './needs-a-person.ts';
import { possibleSteps, renderOrderPage, type Step, steps } from './order-page.ts';
import { renderOrdersPage } from './orders-page.ts';
import { renderOverview } from './overview-page.ts';
import type { DeskReads } from './reads.ts';
import { renderPartConfirmation, renderStepPage, type StepEntered } from './step-page.ts';

const DAY_MS = 24 * 3_600_000;
const NEWEST = 10;
const PER_PAGE = 50;
const PIECES_FIELD = 'pieces:';

/** What has just been done, by the word in the address: whoever makes up an address can't make up a sentence. */
const DONE = {
  cancelled: 'The order is cancelled.',
  cancelling: 'The order is being cancelled. Load this page again to see how it ends.',
  refunded: 'Stripe has accepted the refund.',
  refundedBefore: 'The order was refunded before; nothing was changed.',
  underWay: 'The refund is under way and goes on by itself. Load this page again to see how it ends.',
  released: 'The order is released; its shipment goes on by itself.',
} as const;
type Done = keyof typeof DONE;

const doneSchema = z
  .enum(Object.keys(DONE) as [Done, ...Done[]])
  .optional()
  .catch(undefined);
const stepSchema = z.enum(steps);

/** The pages of orders. To be registered where operators are signed in. */
export function orderPages(dependencies: Dependencies, reads: DeskReads): FastifyPluginAsync {
  const { listOrders, orderLinks, publicUrl } = dependencies;

  return async (app) => {
    app.get('/operator', deskRoute, async (request, reply) => {
      const [{ needs, more }, open, today, { orders: newest }, books] = await Promise.all([
        listNeeds(reads),
        reads.countOpenOrders(),
        reads.countOrdersSince(new Date(Date.now() - DAY_MS)),
        listOrders({}, { limit: NEWEST }),
        reads.findLastReconciliation(),
      ]);
      const main = renderOverview({ needs, more, open, today, newest, books });
      return sendDeskPage(request, reply, { title: 'Today', tab: '/operator', main });
    });

    app.get('/operator/orders', deskRoute, async (request, reply) => {
      const fields = fieldsOf(request.query);
      const searched = given(fields['q']);
      if (searched !== undefined) {
        const orderId = await reads.findOrderIdByAnything(searched);
        if (orderId !== undefined) return reply.redirect(orderPath(orderId), 303);
      }
      const { status = '', from = '', to = '' } = fields;
      const customer = searched ?? fields['customer'] ?? '';
      const query = checked(operatorOrdersQuery, {
        status: given(status),
        customer: given(customer),
        created_from: given(from) && `${from}T00:00:00Z`,
        created_to: given(to) && `${to}T00:00:00Z`,
        cursor: given(fields['cursor']),
        limit: String(PER_PAGE),
      });
      const filter = {
        status: query.status,
        customerId: query.customer,
        createdFrom: query.created_from,
        // The day that is named is in it.
        createdTo: query.created_to && new Date(query.created_to.getTime() + DAY_MS),
      };
      const page = await listOrders(filter, { limit: query.limit, after: query.cursor });
      const notFound = page.orders.length === 0 ? searched : undefined;
      const main = renderOrdersPage({
        filter: { status, customer, from, to },
        orders: page.orders,
        nextCursor: toOrdersView(page).next_cursor,
        notFound,
      });
      return sendDeskPage(request, reply, { title: 'Orders', tab: '/operator/orders', main, searched });
    });

    app.get('/operator/orders/:orderID', deskRoute, async (request, reply) => {
      const order = await readAnyOrder(dependencies, orderIdOf(request));
      const { orderId } = order;
      const [matters, workflow, token] = await Promise.all([
        reads.listMattersOf(orderId),
        isTerminal(order.status) ? { found: false as const } : reads.workflowState(orderId),
        orderLinks?.sign(orderId),
      ]);
      const main = renderOrderPage({
        order,
        needs: needsOf(matters),
        workflow,
        links: reads.linksElsewhere(order),
        paymentPage: paymentPageUrl(publicUrl, { ...order, token }),
      });
      const done = doneSchema.parse(fieldsOf(request.query)['done']);
      return sendDeskPage(request, reply, {
        title: `Order ${orderId}`,
        tab: '/operator/orders',
        main,
        done: done && DONE[done],
      });
    });

    app.get('/operator/orders/:orderID/:step', deskRoute, async (request, reply) => {
      const step = stepSchema.safeParse(fieldsOf(request.params)['step']);
      if (!step.success) throw new ApiError('noSuchRoute', 'There is no such page');
      return sendStep(request, reply, step.data, {});
    });

    app.post('/operator/orders/:orderID/:step', deskRoute, async (request, reply) => {
      const step = stepSchema.safeParse(fieldsOf(request.params)['step']);
      if (!step.success) throw new ApiError('noSuchRoute', 'There is no such page');
      try {
        const part = step.data === 'refund' ? await partToConfirm(request) : undefined;
        if (part !== undefined) {
          const { order, wanted, amountMinor } = part;
          const main = renderPartConfirmation(order, wanted, amountMinor, formToken(request), fieldsOf(request.body));
          return sendDeskPage(request, reply, { title: `Order ${order.orderId}`, tab: '/operator/orders', main });
        }
        const done = await take(request, step.data);
        return await reply.redirect(`${orderPath(orderIdOf(request))}?done=${done}`, 303);
      } catch (error) {
        const { statusCode, message } = toApiError(error);
        logFailure(request, toApiError(error));
        if (statusCode === 404) throw error;
        return sendStep(request, reply, step.data, { statusCode, problem: message });
      }
    });

    async function sendStep(
      request: FastifyRequest,
      reply: FastifyReply,
      step: Step,
      refused: { readonly statusCode?: number; readonly problem?: string },
    ): Promise<FastifyReply> {
      const order = await readAnyOrder(dependencies, orderIdOf(request));
      // What it is about has changed since the page was shown: the order says what can be done now.
      if (refused.problem === undefined && !possibleSteps(order).has(step)) {
        return reply.redirect(orderPath(order.orderId), 303);
      }
      const entered: StepEntered = fieldsOf(request.body);
      return sendDeskPage(request, reply, {
        title: `Order ${order.orderId}`,
        tab: '/operator/orders',
        main: renderStepPage(order, step, formToken(request), entered),
        ...refused,
      });
    }

    /** What a refund of a part comes to, for a page that says so first; undefined if that page was seen, or it is refused. */
    async function partToConfirm(request: FastifyRequest) {
      const fields = fieldsOf(request.body);
      if (fields['sure'] === 'yes' || (fields['what'] !== 'amount' && fields['what'] !== 'pieces')) return undefined;
      const order = await readAnyOrder(dependencies, orderIdOf(request));
      const { restock = false, reason, ...part } = checked(refundOrderSchema, refundOf(fields, order.currency));
      const items = part.items?.map(({ item_id: itemId, quantity }) => ({ itemId, quantity })) ?? null;
      const wanted = { restock, reason, items };
      const asked = items === null ? { amountMinor: part.amount_minor ?? 0 } : { items };
      // Whether the shipment is on its way is for the order's workflow to say.
      const decided = decidePart({ ...order, isBeingShipped: false }, { restock, reason, ...asked });
      return 'refusal' in decided ? undefined : { order, wanted, amountMinor: decided.amountMinor };
    }

    async function take(request: FastifyRequest, step: Step): Promise<Done> {
      const orderId = orderIdOf(request);
      const operator = operatorOf(request);
      const fields = fieldsOf(request.body);
      if (step === 'cancel') {
        const { reason: said } = checked(operatorCancelSchema, { reason: given(fields['reason']) });
        const { ended } = await cancelOrder(dependencies, orderId, { by: 'operator', reason: said, operator });
        return ended ? 'cancelled' : 'cancelling';
      }
      if (step === 'release') {
        await releaseOrder(dependencies, orderId, operator);
        return 'released';
      }
      const { currency } = await readAnyOrder(dependencies, orderId);
      const wanted = checked(refundOrderSchema, refundOf(fields, currency));
      return (await refund(dependencies, orderId, wanted, { operator, key: given(fields['key']) })).outcome;
    }
  };
}

/** What the form of a refund asks for, as the route's body has it. */
function refundOf(fields: Readonly<Record<string, string>>, currency: string): object {
  const { what, restock, reason, amount = '' } = fields;
  const common = { reason: given(reason) };
  if (what === 'amount') return { ...common, amount_minor: parseAmount(amount, currency) ?? amount };
  if (what !== 'pieces') return { ...common, restock: asBoolean(restock) };
  const items = Object.entries(fields)
    .filter(([name, value]) => name.startsWith(PIECES_FIELD) && given(value) !== undefined && value.trim() !== '0')
    .map(([name, value]) => ({ item_id: name.slice(PIECES_FIELD.length), quantity: asNumber(value) }));
  return { ...common, restock: asBoolean(restock), items };
}

/** Anything else is refused by the schema. */
function asNumber(value: string): unknown {
  return /^\d{1,6}$/.test(value.trim()) ? Number(value) : value;
}

/** Anything else is refused by the schema. */
function asBoolean(text: string | undefined): unknown {
  return text === 'true' ? true : text === 'false' ? false : text;
}

function orderIdOf({ params }: FastifyRequest): string {
  return fieldsOf(params)['orderID'] ?? '';
}
