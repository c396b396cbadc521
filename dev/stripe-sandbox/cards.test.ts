import { describe, expect, test } from 'vitest';
import { cardOfTestMethod, readCardForm, TEST_CARDS } from './cards.ts';

const TODAY = new Date(2026, 10, 22);
const good = { number: '4242 4242 4242 4242', expiry: '12 / 30', cvc: '123', name: 'Ada' };
const read = (changes: Partial<typeof good>) => readCardForm({ ...good, ...changes }, TODAY);
const errorsOf = (changes: Partial<typeof good>) => {
  const result = read(changes);
  return 'errors' in result ? Object.keys(result.errors) : [];
};

describe('the card form', () => {
  test('takes a card however it is written, and keeps neither number nor CVC', () => {
    for (const number of ['4242424242424242', '4242-4242-4242-4242', ' 4242 4242 4242 4242 ']) {
      for (const expiry of ['12/30', '12 / 2030', '1230', '12-30']) {
        const result = read({ number, expiry });
        expect(result).toMatchObject({
          card: {
            brand: 'visa',
            last4: '4242',
            expMonth: 12,
            expYear: 2030,
            nameOnCard: 'Ada',
            effect: { kind: 'pays' },
          },
        });
        expect(JSON.stringify(result)).not.toMatch(/42424242|123/);
      }
    }
  });

  test.each([
    ['no number', { number: '' }, ['number']],
    ['a short number', { number: '4242 4242' }, ['number']],
    ['letters', { number: '4242 4242 4242 424x' }, ['number']],
    ['a number that fails Luhn', { number: '4242 4242 4242 4241' }, ['number']],
    ['no expiry', { expiry: '' }, ['expiry']],
    ['month 13', { expiry: '13/30' }, ['expiry']],
    ['last month', { expiry: '10/26' }, ['expiry']],
    ['a short CVC', { cvc: '12' }, ['cvc']],
    ['a CVC of letters', { cvc: 'abc' }, ['cvc']],
    ['four digits for a card that has three', { cvc: '1234' }, ['cvc']],
    ['three digits for an American Express', { number: '378282246310005' }, ['cvc']],
    ['all of it', { number: '1', expiry: 'x', cvc: '' }, ['number', 'expiry', 'cvc']],
  ] as const)('refuses %s', (_name, changes, fields) => {
    expect(errorsOf(changes)).toEqual(fields);
  });

  test('a card is good to the end of its month', () => {
    expect(errorsOf({ expiry: '11/26' })).toEqual([]);
  });

  test('a number that is no test card is declined', () => {
    expect(read({ number: '4111 1111 1111 1111' })).toMatchObject({
      card: { effect: { kind: 'declines', decline: { decline_code: 'test_mode_live_card' } } },
    });
  });

  test('every test card passes the form, and has its payment method id', () => {
    for (const { number, method, effect } of TEST_CARDS) {
      const cvc = number.startsWith('37') ? '1234' : '123';
      expect(read({ number, cvc })).toMatchObject({ card: { effect } });
      expect(cardOfTestMethod(method, TODAY)).toMatchObject({ last4: number.slice(-4), effect });
    }
    expect(cardOfTestMethod('pm_card_none', TODAY)).toBeUndefined();
  });
});
