import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import type { Dependencies } from '../../dependencies.ts';
import { ApiError, toApiError } from '../../errors.ts';
import { logFailure } from '../../http-server.ts';
import { operatorOfToken, type SignIn } from '../../sign-in/guards.ts';
import { cookieOf, setCookie } from '../cookies.ts';
import { isFromElsewhere, takeForms } from '../forms.ts';
import { sendPage, renderFrame } from '../page.ts';
import { deskRoute, sendDeskPage } from './desk.ts';
import { fieldsOf } from './form-values.ts';
import { itemPages } from './item-routes.ts';
import { orderPages } from './order-routes.ts';
import type { DeskReads } from './reads.ts';
import { isOfSession, type OperatorSessions } from './sessions.ts';
import { renderSignIn } from './sign-in-page.ts';

const COOKIE = 'operator-session';
const PATH = '/operator';
/** Nobody guesses a token; who tries gets slow. */
const TRIES_PER_MINUTE = 10;
/** Where somebody is led who has signed in: a page of the desk, and never another site. */
const NEXT = /^\/operator(?:[/?][\w\-./?=&%+~:]*)?$/;

type Desk = SignIn & { readonly sessions: OperatorSessions; readonly reads: DeskReads };

/** The operators' desk: what operators' routes do, as pages, by the same functions. */
export function deskPages(dependencies: Dependencies, desk: Desk): FastifyPluginAsync {
  const { publicUrl, logger } = dependencies;
  const { sessions, reads } = desk;
  const isSecure = publicUrl.startsWith('https:');
  const cookieOptions = { path: PATH, isSecure, sameSite: 'Strict' } as const;

  return async (app) => {
    app.decorateRequest('operatorSession', null);
    takeForms(app);
    app.setErrorHandler((error, request, reply) => {
      const apiError = toApiError(error);
      logFailure(request, apiError);
      return sendDeskPage(request, reply, {
        title: 'Not done',
        tab: '/operator',
        statusCode: apiError.statusCode,
        problem: apiError.message,
        main: '<p><a href="/operator">Back to the desk</a></p>',
      });
    });

    const signInPage = (request: FastifyRequest, reply: FastifyReply, next: string, error?: ApiError) =>
      sendDeskPage(request, reply, {
        title: 'Sign in',
        tab: '/operator',
        main: renderSignIn(next),
        ...(error !== undefined && { statusCode: error.statusCode, problem: error.message }),
      });

    app.get(`${PATH}/sign-in`, deskRoute, async (request, reply) => {
      const { next } = fieldsOf(request.query);
      return signInPage(request, reply, safeNext(next));
    });

    app.post(
      `${PATH}/sign-in`,
      { ...deskRoute, config: { rateLimit: { max: TRIES_PER_MINUTE, timeWindow: '1 minute' } } },
      async (request, reply) => {
        refuseFromElsewhere(request, publicUrl);
        const { token = '', next } = fieldsOf(request.body);
        try {
          const { name, endsAtMs } = await operatorOfToken(desk, token.trim());
          const { cookie, maxAgeSeconds } = await sessions.begin(name, endsAtMs);
          setCookie(reply, COOKIE, cookie, { ...cookieOptions, maxAgeSeconds });
          logger.info({ operator: name, remoteAddress: request.ip }, 'An operator has signed in at the desk');
          return await reply.redirect(safeNext(next), 303);
        } catch (error) {
          const apiError = toApiError(error);
          logFailure(request, apiError);
          logger.warn({ remoteAddress: request.ip }, `Sign-in at the desk refused. ${apiError.message}`);
          return signInPage(request, reply, safeNext(next), apiError);
        }
      },
    );

    await app.register(async (signedIn: FastifyInstance) => {
      signedIn.addHook('onRequest', async (request, reply) => {
        const cookie = cookieOf(request, COOKIE);
        const session = cookie === undefined ? undefined : await sessions.read(cookie);
        if (session !== undefined) {
          request.operatorSession = session;
          request.actor = { kind: 'operator', name: session.name };
          return;
        }
        if (request.method !== 'GET') throw new ApiError('notSignedIn', 'You are signed out; sign in, and try again');
        // A link on another site brings no cookie of ours. Loaded once more by itself, the page is asked for by our own site.
        if (request.headers['sec-fetch-site'] === 'cross-site') return sendPage(reply, 200, LOAD_AGAIN);
        return reply.redirect(`${PATH}/sign-in?next=${encodeURIComponent(safeNext(request.url))}`, 303);
      });
      signedIn.addHook('preHandler', async (request) => {
        if (request.method === 'GET' || request.operatorSession === null) return;
        refuseFromElsewhere(request, publicUrl);
        if (!isOfSession(request.operatorSession, fieldsOf(request.body)['form'])) {
          throw new ApiError(
            'notAllowed',
            'The form is of another session; go back, load the page again and repeat it',
          );
        }
      });
      signedIn.post(`${PATH}/sign-out`, deskRoute, async (_request, reply) => {
        setCookie(reply, COOKIE, '', { ...cookieOptions, maxAgeSeconds: 0 });
        return reply.redirect(`${PATH}/sign-in`, 303);
      });
      await signedIn.register(orderPages(dependencies, reads));
      await signedIn.register(itemPages(dependencies, reads));
    });
  };
}

const LOAD_AGAIN = renderFrame({
  title: 'Desk',
  locale: 'en-GB',
  styles: [],
  scripts: [],
  head: '<meta http-equiv="refresh" content="0" />',
  body: '<p>One moment…</p>',
});

function safeNext(next: string | undefined): string {
  return next !== undefined && NEXT.test(next) ? next : PATH;
}

/** @throws ApiError 1005 if another site made the browser send the form */
function refuseFromElsewhere(request: FastifyRequest, publicUrl: string): void {
  if (isFromElsewhere(request, publicUrl)) {
    throw new ApiError('notAllowed', 'Another site has sent this form; nothing was done');
  }
}
