import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { cancelOrder } from '../cancel-order.ts';
import { type Dependencies, paymentPageUrl } from '../dependencies.ts';
import { type ApiError, toApiError } from '../errors.ts';
import { isTerminal } from '../../domain/order-status.ts';
import { logFailure } from '../http-server.ts';
import { type Notice, notices } from './customer-words.ts';
import { checkLink, forgetToken, keepToken, keptToken, openOrder, type PageQuery } from './page-access.ts';
import { type Asset, assets, renderMessagePage } from './page.ts';
import { renderPaymentPage } from './payment-page.ts';

/** Whatever is in the address of a page, a page comes back: none of it is refused here. */
const pageQuery = z.object({
  'customer-id': z.string().catch(''),
  'order-id': z.string().catch(''),
  token: z.string().optional().catch(undefined),
  notice: z.enum(notices).optional().catch(undefined),
});
const linkQuery = pageQuery.omit({ notice: true });

const htmlPage = { 'text/html': { schema: z.string() } };
/** What goes wrong on a page is told on a page. */
const errorPages = {
  404: { description: 'There is no such order.', content: htmlPage },
  429: { description: 'Too many requests; the header Retry-After says how long to wait.', content: htmlPage },
  500: { description: 'A fault of ours.', content: htmlPage },
  503: { description: 'Away for the moment.', content: htmlPage },
};
/**
 * How long the webhook is waited for once a customer is back from Stripe: mostly it comes a moment later, and an order
 * that is paid by then need not be told, which spares its history seven events. Told, the order asks Stripe at once;
 * this is the only delay.
 */
const RETURN_DELAY_MS = 3_000;
const ASSET_MAX_AGE_SECONDS = 365 * 24 * 3600;

/** A page loads its own style and script, asks its own API, and is shown in nobody's frame. */
const contentSecurityPolicy = {
  useDefaults: false,
  directives: {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'"],
    connectSrc: ["'self'"],
    imgSrc: ['data:'],
    formAction: ["'self'"],
    baseUri: ["'none'"],
    frameAncestors: ["'none'"],
  },
};

/** The pages that customers see. What goes wrong on them is told on a page too. */
export function paymentPages(dependencies: Dependencies): FastifyPluginAsyncZod {
  const { publicUrl, orderWorkflow, findOrder, orderLinks, logger } = dependencies;
  const security = orderLinks === undefined ? {} : { security: [{ orderLink: [] }] };
  return async (app) => {
    app.setErrorHandler((error, request, reply) => {
      const apiError = toApiError(error);
      logFailure(request, apiError);
      return sendPage(reply, apiError.statusCode, errorPage(apiError, orderLinks !== undefined));
    });
    // The cancel form sends no fields; what it is about stands in its address.
    app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, _body, done) =>
      done(null, {}),
    );

    app.route({
      method: 'GET',
      url: '/payment',
      helmet: { contentSecurityPolicy },
      schema: {
        operationId: 'paymentPage',
        summary: 'The payment page of an order',
        tags: ['Pages'],
        ...security,
        querystring: pageQuery,
        response: {
          200: { description: 'The page.', content: htmlPage },
          303: z.undefined().describe('To the same page with the token that the browser kept.'),
          ...errorPages,
        },
      },
      handler: async (request, reply) => {
        const { query } = request;
        const opened = await openOrder(dependencies, withKeptToken(request, query));
        const { order, token } = opened;
        if (token !== query.token && orderLinks !== undefined) {
          const notice = query.notice === undefined ? '' : `&notice=${query.notice}`;
          return reply.redirect(`${paymentPageUrl(publicUrl, { ...order, token })}${notice}`, 303);
        }
        if (isTerminal(order.status)) forgetToken(reply, opened);
        else keepToken(reply, publicUrl, opened);
        return sendPage(reply, 200, renderPaymentPage(order, { notice: query.notice, token }));
      },
    });

    const returns = new Set<NodeJS.Timeout>();
    app.addHook('onClose', async () => returns.forEach(clearTimeout));

    /** Best effort: an order that is never told asks Stripe itself when its payment window ends. */
    async function tellUnlessPaid(orderId: string): Promise<void> {
      try {
        const order = await findOrder(orderId);
        if (order?.status === 'WAITING_FOR_PAYMENT') await orderWorkflow.customerReturned(orderId);
      } catch (err) {
        logger.warn({ err, orderId }, "The order was not told that its customer is back from Stripe's page");
      }
    }

    function tellLater(orderId: string): void {
      const timer = setTimeout(() => {
        returns.delete(timer);
        void tellUnlessPaid(orderId);
      }, RETURN_DELAY_MS);
      returns.add(timer);
    }

    app.route({
      method: 'GET',
      url: '/payment/return',
      schema: {
        operationId: 'returnFromPayment',
        summary: 'Where Stripe sends the customer after a payment',
        description: 'Leads on to the payment page. Nothing is believed of the address: the order asks Stripe itself.',
        tags: ['Pages'],
        ...security,
        querystring: linkQuery,
        response: { 303: z.undefined().describe('To the payment page.'), ...errorPages },
      },
      handler: async (request, reply) => {
        const { order, token } = await openOrder(dependencies, withKeptToken(request, request.query));
        const url = paymentPageUrl(publicUrl, { ...order, token });
        if (order.status !== 'WAITING_FOR_PAYMENT') return reply.redirect(url, 303);
        tellLater(order.orderId);
        return reply.redirect(`${url}&notice=${'returned' satisfies Notice}`, 303);
      },
    });

    app.route({
      method: 'POST',
      url: '/payment/cancel',
      schema: {
        operationId: 'cancelFromPage',
        summary: 'The cancel button of the payment page',
        tags: ['Pages'],
        ...security,
        querystring: linkQuery,
        response: {
          303: z.undefined().describe('Back to the payment page.'),
          403: { description: 'Another site had the browser send the form.', content: htmlPage },
          ...errorPages,
        },
      },
      preHandler: async (request, reply) => {
        if (isFromElsewhere(request, publicUrl)) {
          return sendPage(reply, 403, renderMessagePage('Not from here', 'Please cancel on the page of your order.'));
        }
      },
      handler: async (request, reply) => {
        // The cookie is not enough: it is sent along with what another page asks for.
        const token = await checkLink(dependencies, request.query);
        const { 'customer-id': customerId, 'order-id': orderId } = request.query;
        const notice = await cancelForPage(dependencies, request, customerId, orderId);
        const url = paymentPageUrl(publicUrl, { customerId, orderId, token });
        return reply.redirect(notice === undefined ? url : `${url}&notice=${notice}`, 303);
      },
    });

    for (const asset of Object.values(assets)) {
      app.get(asset.path, { schema: { hide: true } }, async (_request, reply) => sendAsset(reply, asset));
    }
  };
}

async function cancelForPage(
  dependencies: Dependencies,
  request: FastifyRequest,
  customerId: string,
  orderId: string,
): Promise<Notice | undefined> {
  try {
    const { ended } = await cancelOrder(dependencies, orderId, { by: 'customer', customerId });
    return ended ? undefined : 'cancelling';
  } catch (error) {
    const apiError = toApiError(error);
    if (apiError.statusCode === 404) throw apiError;
    logFailure(request, apiError);
    return apiError.statusCode === 409 ? 'too-late' : 'try-again';
  }
}

/**
 * Whether another site made the browser send this form. Browsers say so in Sec-Fetch-Site; those that do not send an
 * Origin, which is `null` from our own pages, since these tell nobody where a request comes from.
 */
function isFromElsewhere({ headers }: FastifyRequest, publicUrl: string): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site !== 'same-origin';
  const { origin } = headers;
  return origin !== undefined && origin !== 'null' && origin !== new URL(publicUrl).origin;
}

/** The token of the address, or else the one that the browser kept. */
function withKeptToken(request: FastifyRequest, query: PageQuery): PageQuery {
  return { ...query, token: query.token ?? keptToken(request, query['order-id']) };
}

function errorPage(error: ApiError, linksEnd: boolean): string {
  if (error.statusCode === 404) {
    return renderMessagePage(
      'We cannot find this order',
      linksEnd
        ? 'Please open the whole link that the shop sent you. A link ends after some days; the shop has a new one. If you have just paid, your order is safe.'
        : 'Please check that you opened the whole link, or ask the shop that sent it to you.',
    );
  }
  if (error.statusCode === 429) {
    return renderMessagePage(
      'One moment, please',
      'There were many requests from your connection. Please wait a minute.',
    );
  }
  return error.statusCode === 503
    ? renderMessagePage('We will be right back', 'Your order is safe. Please load this page again in a moment.')
    : renderMessagePage(
        'Something went wrong on our side',
        'Your order is safe. Please load this page again in a moment.',
      );
}

function sendPage(reply: FastifyReply, statusCode: number, page: string): FastifyReply {
  return reply.code(statusCode).type('text/html; charset=utf-8').header('cache-control', 'no-store').send(page);
}

function sendAsset(reply: FastifyReply, { contentType, content }: Asset): FastifyReply {
  return reply
    .type(contentType)
    .header('cache-control', `public, max-age=${ASSET_MAX_AGE_SECONDS}, immutable`)
    .send(content);
}
