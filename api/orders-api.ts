import { fastifySwagger } from '@fastify/swagger';
import { fastifySwaggerUi } from '@fastify/swagger-ui';
import type { Client } from '@temporalio/client';
import type { FastifyInstance } from 'fastify';
import { jsonSchemaTransform, serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import { taskQueues } from '../contracts/messages.ts';
import type { Database } from '../database/database.ts';
import { listEvents } from '../database/events.ts';
import { listOrders } from '../database/order-pages.ts';
import { findOrder } from '../database/orders.ts';
import type { Config } from '../platform/config.ts';
import type { Logger } from '../platform/logger.ts';
import { createMetrics, type Metrics } from '../platform/metrics.ts';
import type { ReadinessChecks } from '../platform/operations-server.ts';
import { addRequestTracing } from '../platform/spans.ts';
import { createCatalogue } from './catalogue.ts';
import type { Dependencies } from './dependencies.ts';
import { createHttpServer } from './http-server.ts';
import { takeOnlyJson } from './json-body.ts';
import { completeDocument } from './openapi-document.ts';
import { orderPolicy, type PolicyConfig } from './order-policy.ts';
import { createOrderWorkflowClient } from './order-workflow-client.ts';
import { cancelOrderRoute } from './routes/cancel-order.ts';
import { createOrderRoute } from './routes/create-order.ts';
import { listItemsRoute } from './routes/list-items.ts';
import { listOrdersRoute } from './routes/list-orders.ts';
import { operatorRoutes } from './routes/operator.ts';
import { readOrderRoute } from './routes/read-order.ts';
import { assetRoutes } from './pages/assets.ts';
import { paymentPages } from './pages/payment/routes.ts';
import { createDeskReads, type DeskReads } from './pages/operator/reads.ts';
import { deskPages } from './pages/operator/routes.ts';
import { createOperatorSessions, type OperatorSessions } from './pages/operator/sessions.ts';
import { shopPages } from './pages/shop/routes.ts';
import { addSignIn, securitySchemes } from './sign-in/guards.ts';
import { createOrderLinks } from './sign-in/order-links.ts';
import { createTokenVerifier, type TokenVerifier } from './sign-in/tokens.ts';

const BODY_LIMIT_BYTES = 64 * 1024;

type Options = {
  readonly config: PolicyConfig &
    Pick<
      Config,
      | 'publicUrl'
      | 'createTimeoutMs'
      | 'temporal'
      | 'trustedProxies'
      | 'api'
      | 'operatorToken'
      | 'signIn'
      | 'orderLinks'
      | 'orderIdSecret'
      | 'limits'
      | 'shopPage'
      | 'links'
      | 'stripe'
    >;
  readonly client: Client;
  readonly database: Database;
  readonly checks: ReadinessChecks;
  readonly metrics?: Metrics;
  readonly logger: Logger;
};

/** Makes the orders API with its pages and its OpenAPI document at `/docs`; it does not listen yet. */
export async function createOrdersApi({
  config,
  client,
  database,
  checks,
  metrics = createMetrics(),
  logger,
}: Options): Promise<FastifyInstance> {
  return createOrdersApp({
    publicUrl: config.publicUrl,
    policy: orderPolicy(config),
    findOrder: (orderId) => findOrder(database, orderId),
    verifyToken: config.signIn && createTokenVerifier({ config: config.signIn, logger }),
    operatorToken: config.operatorToken,
    orderLinks: config.orderLinks && createOrderLinks(config.orderLinks),
    orderIdSecret: config.orderIdSecret,
    shopPage: config.shopPage,
    // Who signs in is counted by name: a shop's server orders for all customers from one address.
    limits: config.limits && { ...config.limits, ...(config.signIn !== undefined && { address: undefined }) },
    listOrders: (filter, page) => listOrders(database, filter, page),
    listEvents: (place) => listEvents(database, place),
    catalogue: createCatalogue(database),
    orderWorkflow: createOrderWorkflowClient({
      client,
      taskQueues: taskQueues(config.temporal.taskQueuePrefix),
      createTimeoutMs: config.createTimeoutMs,
      stripeRetryMaxMs: config.stripeRetryMaxMs,
    }),
    sessions: createOperatorSessions(config),
    deskReads: createDeskReads({ config, client, database }),
    checks,
    metrics,
    requestsPerMinute: config.api.requestsPerMinute,
    trustedProxies: config.trustedProxies,
    logger,
  });
}

/** The same with its parts given, so that it can be tried without a server. */
export async function createOrdersApp(
  options: Dependencies & {
    readonly checks: ReadinessChecks;
    readonly requestsPerMinute: number;
    readonly trustedProxies: readonly string[];
    /** Checks the tokens of customers and operators; without it customers are trusted. */
    readonly verifyToken?: TokenVerifier | undefined;
    readonly operatorToken?: string | undefined;
    /** Sessions of the operators' desk; without them there is none. */
    readonly sessions?: OperatorSessions | undefined;
    readonly deskReads?: DeskReads;
    readonly receiveTimeoutMs?: number;
  },
): Promise<FastifyInstance> {
  const app = await createHttpServer({ ...options, bodyLimitBytes: BODY_LIMIT_BYTES });
  addRequestTracing(app, { parent: 'headers' });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Orders API',
        version: '1',
        description:
          'Every answer has one envelope: `data`, `errorCode` (0 if all went well), `message`, `traceID`. Besides the ' +
          'answers that each route has, 408 and 431 answer what does not arrive in 15 seconds or has too large headers, ' +
          'and 405 names the methods of a path in its header Allow.',
      },
      tags: [
        { name: 'Orders', description: 'What clients call.' },
        { name: 'Operators', description: "What the shop's own people call." },
        { name: 'Pages', description: 'What customers see.' },
      ],
      components: { securitySchemes },
    },
    transform: jsonSchemaTransform,
    transformObject: completeDocument,
  });
  await app.register(fastifySwaggerUi, {
    routePrefix: '/docs',
    staticCSP: "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'",
  });
  takeOnlyJson(app);
  addSignIn(app, options);
  await app.register(createOrderRoute(options));
  await app.register(readOrderRoute(options));
  await app.register(listOrdersRoute(options));
  await app.register(listItemsRoute(options));
  await app.register(cancelOrderRoute(options));
  await app.register(assetRoutes);
  await app.register(paymentPages(options));
  if (options.shopPage === true) await app.register(shopPages(options));
  // Operators who cannot sign in have no routes.
  const hasOperators = options.operatorToken !== undefined || options.verifyToken !== undefined;
  if (hasOperators) await app.register(operatorRoutes(options));
  const { sessions, deskReads } = options;
  if (hasOperators && sessions !== undefined && deskReads !== undefined) {
    await app.register(deskPages(options, { ...options, sessions, reads: deskReads }));
  }
  return app;
}
