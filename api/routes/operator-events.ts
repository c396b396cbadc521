import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { FeedEvent } from '../../database/events.ts';
import type { Dependencies } from '../dependencies.ts';
import { success } from '../envelope.ts';
import { limitSchema, unknownParameters, wholeNumber } from '../page-schemas.ts';
import { envelopeSchema, orderStatusSchema } from '../schemas.ts';
import { errorResponses } from './error-responses.ts';

const WHOLE_ID = 'must be `next` of an earlier answer, or 0';

const eventsQuery = z.strictObject(
  {
    after: wholeNumber(z.int(WHOLE_ID).min(0, WHOLE_ID).default(0)).describe(
      '`next` of the previous answer; 0 starts with the first event.',
    ),
    limit: limitSchema,
  },
  unknownParameters,
);

const eventSchema = z.object({
  id: z.int().describe('Counts from 1, without gaps.'),
  type: z.string().describe('`order.paid`, for example.'),
  at: z.iso.datetime(),
  order_id: z.string(),
  customer_id: z.string(),
  status: orderStatusSchema.describe("The order's status since the event."),
  seq: z.int().describe("The event's position on its order's timeline."),
  detail: z.string().describe('What happened, for people.'),
  data: z.record(z.string(), z.unknown()),
});
const eventsSchema = z.object({
  events: z.array(eventSchema),
  next: z.int().describe('Send it as `after` to get the following events; unchanged if there are no new ones.'),
});

/** The feed of events, for other systems of the shop. Register it only with the operators' guards in place. */
export function operatorEventRoutes({ listEvents }: Pick<Dependencies, 'listEvents'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.route({
      method: 'GET',
      url: '/api/operator/events',
      schema: {
        operationId: 'listEvents',
        summary: 'Follow all orders',
        description:
          'Every entry of every timeline, each once, in one order that never changes, without gaps. Store `next` once the ' +
          'events are processed, and continue from it: nothing is missed after a crash. `id` identifies repeats.',
        tags: ['Operators'],
        querystring: eventsQuery,
        response: { 200: envelopeSchema(eventsSchema), ...errorResponses(400, 401, 429, 500, 503) },
      },
      handler: async ({ query: { after, limit } }, reply) => {
        const events = await listEvents({ after, limit });
        const next = events.at(-1)?.eventId ?? after;
        return reply.code(200).send(success({ events: events.map(toEventView), next }));
      },
    });
  };
}

function toEventView(event: FeedEvent): z.output<typeof eventSchema> {
  return {
    id: event.eventId,
    type: event.event,
    at: event.at.toISOString(),
    order_id: event.orderId,
    customer_id: event.customerId,
    status: event.status,
    seq: event.seq,
    detail: event.detail,
    data: event.data,
  };
}
