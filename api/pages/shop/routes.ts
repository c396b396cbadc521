import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { MAX_QUANTITY } from '../../../domain/order-lines.ts';
import { createOrder } from '../../create-order.ts';
import { type Dependencies, paymentPageUrl } from '../../dependencies.ts';
import { toApiError } from '../../errors.ts';
import { logFailure } from '../../http-server.ts';
import { isFromElsewhere, takeForms } from '../forms.ts';
import { textsFor } from '../languages/language.ts';
import { errorTextOf, pageRoute, renderMessagePage, sendPage } from '../page.ts';
import { guestOf, isKey, keepGuest, newKey } from './guest.ts';
import { type Choice, problemOf, readChoices, type ShopProblem } from './shop-problem.ts';
import { renderShopPage } from './shop-page.ts';

const QUANTITY_FIELD = 'quantity:';

const orderForm = z.record(z.string(), z.string()).catch({});

/** The small shop page. It makes orders as the API does, for a customer without an account. */
export function shopPages(dependencies: Dependencies): FastifyPluginAsyncZod {
  const { publicUrl, catalogue } = dependencies;
  const isSecure = publicUrl.startsWith('https:');

  async function show(request: FastifyRequest, reply: FastifyReply, form: ShownForm): Promise<FastifyReply> {
    const { statusCode = 200, guest, key = newKey(), entered, problem } = form;
    const texts = textsFor(request, reply, isSecure);
    const items = await catalogue.listItemsOnSale();
    return sendPage(
      reply,
      statusCode,
      renderShopPage({ texts, items, guest, key, entered: entered ?? new Map(), problem }),
    );
  }

  return async (app) => {
    takeForms(app);
    app.setErrorHandler((error, request, reply) => {
      const apiError = toApiError(error);
      logFailure(request, apiError);
      const texts = textsFor(request, reply, isSecure);
      return sendPage(reply, apiError.statusCode, renderMessagePage(texts, errorTextOf(apiError, texts)));
    });

    app.route({
      ...pageRoute,
      method: 'GET',
      url: '/',
      schema: { hide: true },
      handler: async (request, reply) => show(request, reply, { guest: guestOf(request) }),
    });

    app.route({
      ...pageRoute,
      method: 'POST',
      url: '/',
      schema: { hide: true },
      handler: async (request, reply) => {
        const texts = textsFor(request, reply, isSecure);
        const form = orderForm.parse(request.body);
        const guest = guestOf(request, form['guest']);
        const entered = quantitiesOf(form);
        const { problems } = texts.shop;
        if (isFromElsewhere(request, publicUrl)) {
          return show(request, reply, { statusCode: 403, guest, problem: { text: problems.fromElsewhere } });
        }
        const { choices, problem } = readChoices(entered, texts, MAX_QUANTITY);
        if (problem !== undefined) return show(request, reply, { statusCode: 422, guest, entered, problem });
        keepGuest(reply, guest, isSecure);
        const key = isKey(form['key'] ?? '') ? form['key'] : newKey();
        try {
          const lines: readonly Choice[] = choices;
          const order = await createOrder(dependencies, {
            customerId: guest,
            lines,
            idempotencyKey: key,
            ip: request.ip,
          });
          // Without the host: a form may only lead to where the page came from.
          return reply.redirect(paymentPageUrl('', order), 303);
        } catch (error) {
          const apiError = toApiError(error);
          logFailure(request, apiError);
          const { statusCode } = apiError;
          return show(request, reply, {
            statusCode,
            guest,
            entered,
            // An order that is not confirmed may exist, and the same key finds it; one that was refused needs another.
            key: statusCode === 503 ? key : newKey(),
            problem: await problemOf(apiError, texts, dependencies, guest),
          });
        }
      },
    });
  };
}

type ShownForm = {
  readonly statusCode?: number;
  readonly guest: string;
  readonly key?: string | undefined;
  readonly entered?: ReadonlyMap<string, string>;
  readonly problem?: ShopProblem;
};

/** What was entered for each item, without those that were left empty. */
function quantitiesOf(form: Readonly<Record<string, string>>): Map<string, string> {
  const fields = Object.entries(form)
    .filter(([name, value]) => name.startsWith(QUANTITY_FIELD) && value.trim() !== '')
    .map(([name, value]) => [name.slice(QUANTITY_FIELD.length), value.trim()] as const);
  return new Map(fields);
}
