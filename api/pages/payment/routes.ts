import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { isTerminal } from '../../../domain/order-status.ts';
import { cancelOrder } from '../../cancel-order.ts';
import { type Dependencies, paymentPageUrl } from '../../dependencies.ts';
import { type ApiError, toApiError } from '../../errors.ts';
import { logFailure } from '../../http-server.ts';
import { isFromElsewhere, takeForms } from '../forms.ts';
import type { Texts } from '../languages/english.ts';
import { languageQuery, textsFor } from '../languages/language.ts';
import { errorTextOf, pageRoute, renderMessagePage, sendPage } from '../page.ts';
import { type Notice, notices } from './customer-words.ts';
import { checkLink, forgetToken, keepToken, keptToken, openOrder, type PageQuery } from './page-access.ts';
import { renderPaymentPage } from './payment-page.ts';

/** Never refuses an address: whatever it holds, the answer is a page. */
const pageQuery = z.object({
  'customer-id': z.string().catch(''),
  'order-id': z.string().catch(''),
  token: z.string().optional().catch(undefined),
  notice: z.enum(notices).optional().catch(undefined),
  ...languageQuery,
});
const linkQuery = pageQuery.omit({ notice: true, lang: true });

const htmlPage = { 'text/html': { schema: z.string() } };
/** The errors of a page are pages too. */
const errorPages = {
  404: { description: 'There is no such order.', content: htmlPage },
  429: { description: 'Too many requests; the header Retry-After says how long to wait.', content: htmlPage },
  500: { description: 'An internal error.', content: htmlPage },
  503: { description: 'Unavailable at the moment.', content: htmlPage },
};
/**
 * How long to wait for the webhook once a customer is back from Stripe. It mostly arrives a moment later, and an order
 * that is paid by then need not be notified, which saves seven events in its history. An order that is notified asks
 * Stripe at once; this is the only delay.
 */
const RETURN_DELAY_MS = 3_000;

/** The pages that customers see. Their errors are pages too. */
export function paymentPages(dependencies: Dependencies): FastifyPluginAsyncZod {
  const { publicUrl, orderWorkflow, findOrder, orderLinks, logger } = dependencies;
  const isSecure = publicUrl.startsWith('https:');
  const security = orderLinks === undefined ? {} : { security: [{ orderLink: [] }] };
  return async (app) => {
    app.setErrorHandler((error, request, reply) => {
      const apiError = toApiError(error);
      logFailure(request, apiError);
      const texts = textsFor(request, reply, isSecure);
      return sendPage(reply, apiError.statusCode, errorPage(apiError, texts, orderLinks !== undefined));
    });
    takeForms(app);

    app.route({
      ...pageRoute,
      method: 'GET',
      url: '/payment',
      schema: {
        operationId: 'paymentPage',
        summary: 'The payment page of an order',
        tags: ['Pages'],
        ...security,
        querystring: pageQuery,
        response: {
          200: { description: 'The page.', content: htmlPage },
          303: z.undefined().describe('To the same page, with the token from the browser’s cookie.'),
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
        if (isTerminal(order.status)) forgetToken(reply, isSecure, opened);
        else keepToken(reply, isSecure, opened);
        const texts = textsFor(request, reply, isSecure);
        const { notice } = query;
        return sendPage(
          reply,
          200,
          renderPaymentPage(order, { texts, notice, token, hasShop: dependencies.shopPage === true }),
        );
      },
    });

    const returns = new Set<NodeJS.Timeout>();
    app.addHook('onClose', async () => returns.forEach(clearTimeout));

    /** Best effort: without it, the order asks Stripe itself when its payment window ends. */
    async function tellUnlessPaid(orderId: string): Promise<void> {
      try {
        const order = await findOrder(orderId);
        if (order?.status === 'WAITING_FOR_PAYMENT') await orderWorkflow.customerReturned(orderId);
      } catch (err) {
        logger.warn({ err, orderId }, "The order could not be notified that its customer is back from Stripe's page");
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
      ...pageRoute,
      method: 'GET',
      url: '/payment/return',
      schema: {
        operationId: 'returnFromPayment',
        summary: 'Where Stripe sends the customer after a payment',
        description: 'Redirects to the payment page. The address proves nothing: the order asks Stripe itself.',
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
      ...pageRoute,
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
          403: { description: 'Another site made the browser send the form.', content: htmlPage },
          413: { description: 'The form, which has no fields, is over 64 KB.', content: htmlPage },
          415: { description: 'The body is not a form.', content: htmlPage },
          ...errorPages,
        },
      },
      preHandler: async (request, reply) => {
        if (isFromElsewhere(request, publicUrl)) {
          const texts = textsFor(request, reply, isSecure);
          return sendPage(reply, 403, renderMessagePage(texts, texts.errors.notFromHere));
        }
      },
      handler: async (request, reply) => {
        // The cookie is not enough: browsers send it with other pages' requests too.
        const token = await checkLink(dependencies, request.query);
        const { 'customer-id': customerId, 'order-id': orderId } = request.query;
        const notice = await cancelForPage(dependencies, request, customerId, orderId);
        const url = paymentPageUrl(publicUrl, { customerId, orderId, token });
        return reply.redirect(notice === undefined ? url : `${url}&notice=${notice}`, 303);
      },
    });
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

/** Adds the token from the cookie if the address has none. */
function withKeptToken(request: FastifyRequest, query: PageQuery): PageQuery {
  return { ...query, token: query.token ?? keptToken(request, query['order-id']) };
}

function errorPage(error: ApiError, texts: Texts, linksExpire: boolean): string {
  if (error.statusCode !== 404) return renderMessagePage(texts, errorTextOf(error, texts));
  const { title, text, textOfSignedLink } = texts.errors.noSuchOrder;
  return renderMessagePage(texts, { title, text: linksExpire ? textOfSignedLink : text });
}
