import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { FeedEvent } from '../../database/events.ts';
import type { Dependencies } from '../dependencies.ts';
import { success } from '../envelope.ts';
import { limitSchema, unknownParameters, wholeNumber } from '../page-schemas.ts';
import { envelopeSchema, orderStatusSchema } from '../schemas.ts';
import { errorResponses } from './error-responses.ts';

const WHOLE_ID = 'must be the next of an answer before, or 0';

const eventsQuery = z.strictObject(
  {
    after: wholeNumber(z.int(WHOLE_ID).min(0, WHOLE_ID).default(0)).describe(
      'The `next` of the answer before; 0 for the first event there is.',
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
  seq: z.int().describe("The event's place on its order's timeline."),
  detail: z.string().describe('The same for people.'),
  data: z.record(z.string(), z.unknown()),
});
const eventsSchema = z.object({
  events: z.array(eventSchema),
  next: z.int().describe('Sent as `after`, it brings what comes next; the same as before if nothing has come.'),
});

/** The feed of events, for other systems of the shop. To be registered where operators are signed in. */
export function operatorEventRoutes({ listEvents }: Pick<Dependencies, 'listEvents'>): FastifyPluginAsyncZod {
  return async (app) => {
    app.route({
      method: 'GET',
      url: '/api/operator/events',
      schema: {
        operationId: 'listEvents',
        summary: 'Follow all orders',
        description:
          'Every entry of every timeline, each once and in one order that never changes, without gaps. Keep `next` once ' +
          'what came is worked on, and ask again with it: nothing is missed, whatever crashes. `id` tells repeats.',
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
