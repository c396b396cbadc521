import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { cookieOf, setCookie } from '../cookies.ts';
import { chinese } from './chinese.ts';
import { english, type Texts } from './english.ts';

const languages = { en: english, zh: chinese } as const satisfies Record<string, Texts>;

export type Language = keyof typeof languages;

const COOKIE = 'lang';
const YEAR_SECONDS = 365 * 24 * 3600;

const languageSchema = z
  .enum(Object.keys(languages) as [Language, ...Language[]])
  .optional()
  .catch(undefined);

/** The field of an address that switches the language. */
export const languageQuery = { lang: languageSchema };

/**
 * Returns the texts for whoever sends a request: in the language that they have just chosen, which is remembered then; or
 * chose before; or that their browser prefers.
 */
export function textsFor(request: FastifyRequest, reply: FastifyReply, isSecure: boolean): Texts {
  const { lang: chosen } = z.object(languageQuery).catch({}).parse(request.query);
  if (chosen !== undefined) setCookie(reply, COOKIE, chosen, { path: '/', maxAgeSeconds: YEAR_SECONDS, isSecure });
  const language = chosen ?? languageSchema.parse(cookieOf(request, COOKIE)) ?? preferred(request);
  return languages[language];
}

/** The first language of Accept-Language that we have, by its weights (RFC 9110, section 12.5.4). */
function preferred({ headers }: FastifyRequest): Language {
  const wanted = (headers['accept-language'] ?? '')
    .split(',')
    .map((range) => {
      const [tag = '', ...parameters] = range.trim().toLowerCase().split(';');
      const weight = parameters.map((text) => /^\s*q=([\d.]+)\s*$/.exec(text)?.[1]).find((text) => text !== undefined);
      return { language: tag.split('-')[0] ?? '', weight: weight === undefined ? 1 : Number(weight) };
    })
    .filter(({ weight }) => weight > 0)
    .sort((left, right) => right.weight - left.weight);
  return wanted.map(({ language }) => languageSchema.parse(language)).find((found) => found !== undefined) ?? 'en';
}

/** The other languages, each with the address of the same page in it. */
export function otherLanguages(texts: Texts, query: Readonly<Record<string, string>>) {
  return Object.entries(languages)
    .filter(([, other]) => other !== texts)
    .map(([lang, { name, locale }]) => ({ name, locale, query: new URLSearchParams({ ...query, lang }).toString() }));
}
