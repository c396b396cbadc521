/**
 * Writes a moment for people in their language. A script shows it in the reader's own time zone; without one, it says that
 * it is UTC.
 */
export function inWords(at: Date, locale: string): string {
  return `${at.toLocaleString(locale, { dateStyle: 'medium', timeStyle: 'short', timeZone: 'UTC' })} UTC`;
}
