import { expect, test } from 'vitest';
import { startApi } from '../testing/api.ts';
import { type FakeAnswers } from '../testing/fakes.ts';

const TOKEN = 'a-token-of-sixteen';
const AT = new Date('2026-01-02T10:00:00.000Z');
const EVENT = {
  eventId: 8,
  at: AT,
  orderId: 'a'.repeat(24),
  customerId: 'customer-1',
  status: 'PAID',
  seq: 3,
  event: 'order.paid',
  detail: 'Paid.',
  data: { refund: null },
} as const;

async function start(answers: FakeAnswers = {}) {
  const { api: app, ...fakes } = await startApi(answers, { operatorToken: TOKEN });
  const get = async (query: string, token = TOKEN) => {
    const url = `/api/operator/events?${query}`;
    const response = await app.inject({ url, headers: { authorization: `Bearer ${token}` } });
    return { status: response.statusCode, ...response.json<{ data: unknown; errorCode: number }>() };
  };
  return { ...fakes, get };
}

test('the feed answers events as the contract has them, and where the next ones begin', async () => {
  const { get, listed } = await start({ events: [{ ...EVENT, eventId: 7 }, EVENT] });
  const event = {
    type: 'order.paid',
    at: '2026-01-02T10:00:00.000Z',
    order_id: EVENT.orderId,
    customer_id: 'customer-1',
    status: 'PAID',
    seq: 3,
    detail: 'Paid.',
    data: { refund: null },
  };
  const data = {
    events: [
      { id: 7, ...event },
      { id: 8, ...event },
    ],
    next: 8,
  };
  expect(await get('after=6&limit=2')).toMatchObject({ status: 200, errorCode: 0, data });
  expect(listed).toEqual([{ after: 6, limit: 2 }]);
});

test('the feed begins with the first event, and stays where it is if nothing has come', async () => {
  const { get, listed } = await start();
  expect(await get('')).toMatchObject({ status: 200, data: { events: [], next: 0 } });
  expect(await get('after=41')).toMatchObject({ status: 200, data: { events: [], next: 41 } });
  expect(listed).toEqual([
    { after: 0, limit: 20 },
    { after: 41, limit: 20 },
  ]);
});

test.each(['after=-1', 'after=x', 'after=1.5', 'after=', 'limit=101', 'limit=0', 'since=5', `after=${'9'.repeat(30)}`])(
  'the feed refuses ?%s',
  async (query) => {
    const { get, listed } = await start();
    expect(await get(query)).toMatchObject({ status: 400, errorCode: 1000 });
    expect(listed).toEqual([]);
  },
);

test('the feed is for operators alone', async () => {
  const { get, listed } = await start();
  expect(await get('', 'another-token-of-16')).toMatchObject({ status: 401, errorCode: 1004 });
  expect(listed).toEqual([]);
});
