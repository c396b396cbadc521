import type { FastifyReply, FastifyRequest } from 'fastify';

type CookieOptions = {
  readonly path: string;
  readonly maxAgeSeconds: number;
  /** Whether the site is reached by HTTPS, so that the cookie is never sent without. */
  readonly isSecure: boolean;
  /** `Strict` cookies are not sent along when another site leads here; `Lax` ones are with links. */
  readonly sameSite?: 'Strict' | 'Lax';
};

/** Adds a cookie that no script can read. */
export function setCookie(
  reply: FastifyReply,
  name: string,
  value: string,
  { path, maxAgeSeconds, isSecure, sameSite = 'Lax' }: CookieOptions,
): void {
  const secure = isSecure ? '; Secure' : '';
  reply.header(
    'set-cookie',
    `${name}=${value}; Path=${path}; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=${sameSite}${secure}`,
  );
}

/** The value of a cookie that the browser sent; undefined if it sent none. */
export function cookieOf({ headers }: FastifyRequest, name: string): string | undefined {
  const start = `${name}=`;
  const cookie = (headers.cookie ?? '').split('; ').find((pair) => pair.startsWith(start));
  return cookie?.slice(start.length);
}
