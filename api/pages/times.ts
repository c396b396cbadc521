const formats = new Map<string, Intl.DateTimeFormat>();

/**
 * Writes a moment for people in their language. A script shows it in the reader's own time zone; without one, it says that
 * it is UTC.
 */
export function inWords(at: Date, locale: string): string {
  // A format takes 0.2 ms to make, and a list has many moments.
  const format =
    formats.get(locale) ??
    new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short', timeZone: 'UTC' });
  formats.set(locale, format);
  return `${format.format(at)} UTC`;
}
