import { randomBytes, randomUUID } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { cookieOf, setCookie } from '../cookies.ts';

const COOKIE = 'guest';
const YEAR_SECONDS = 365 * 24 * 3600;
const GUEST_ID = /^guest-[0-9a-f]{32}$/;
const KEY = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * Who orders on the shop page: it has no accounts, so a browser is a customer of its own, under an id that nobody
 * guesses.
 */
export function guestOf(request: FastifyRequest, formValue?: string): string {
  const known = [cookieOf(request, COOKIE), formValue].find((id) => id !== undefined && GUEST_ID.test(id));
  return known ?? `guest-${randomBytes(16).toString('hex')}`;
}

export function keepGuest(reply: FastifyReply, guestId: string, isSecure: boolean): void {
  setCookie(reply, COOKIE, guestId, { path: '/', maxAgeSeconds: YEAR_SECONDS, isSecure });
}

/** The idempotency key of a form that is shown again. */
export function newKey(): string {
  return randomUUID();
}

export function isKey(text: string): boolean {
  return KEY.test(text);
}
