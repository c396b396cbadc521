import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { timelineInChinese } from '../api/pages/languages/chinese-timeline.ts';
import { DEFAULT_CANCEL_REASON, DEFAULT_REFUND_REASON } from '../api/schemas.ts';
import { describeDecline } from '../domain/payment.ts';
import { describePart } from '../domain/refund.ts';

const PROJECT = join(import.meta.dirname, '..');
const FILES = [
  ...readdirSync(join(PROJECT, 'workflows'), { recursive: true, encoding: 'utf8' }).map((name) => `workflows/${name}`),
  ...['aftercare', 'charge', 'payment', 'refund'].map((name) => `domain/${name}.ts`),
  'api/cancel-order.ts',
].filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'));

const LITERAL = /(?<quote>['`"])(?<text>[A-Z$](?:(?!\k<quote>)[^\\\n]|\\.)*\.)\k<quote>/g;
/** What only the shop reads. */
const FOR_THE_SHOP =
  /^Sorry|refund of 12 was not made|dispute over|is disputed: |suspects fraud|manual review|review of the payment|shipment waits|ships the order|did not reach the customer|reported a payment|Refused: /;

/** Sentences that stand in the sources, with something in the place of what is filled in. */
const written = FILES.flatMap((file) =>
  [...readFileSync(join(PROJECT, file), 'utf8').matchAll(LITERAL)].map(({ groups }) =>
    (groups?.['text'] ?? '').replaceAll(/\$\{describeItems\([^}]*\}/g, '2 × 12; $12').replaceAll(/\$\{[^}]*\}+/g, '12'),
  ),
).filter((sentence) => sentence.includes(' ') && !FOR_THE_SHOP.test(sentence));
const DECLINE_CODES =
  'insufficient_funds expired_card incorrect_cvc processing_error authentication_required card_not_supported card_velocity_exceeded other';
const PART = { reason: null, amountMinor: 100, items: [{ itemId: '1', quantity: 1 }], restock: true };
const sentences = [
  ...written,
  ...DECLINE_CODES.split(' ').map(describeDecline),
  describePart(PART, { total: { amountMinor: 2000, currency: 'USD' }, lines: [{ itemId: '1', name: '1' }] }),
  DEFAULT_CANCEL_REASON,
  DEFAULT_REFUND_REASON,
];

test.each(sentences)('a customer reads in Chinese: %s', (sentence) => {
  expect(timelineInChinese(sentence).replace('Stripe', '')).not.toMatch(/[A-Za-z]{2,}/);
});

test('there are sentences to read', () => {
  expect(written.length).toBeGreaterThan(20);
});

test('what a person wrote stays as it was written', () => {
  expect(timelineInChinese('Wrong colour. The payment is being refunded.')).toBe('Wrong colour. 正在退款。');
});
