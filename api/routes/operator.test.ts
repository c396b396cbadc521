import { describe, expect, test } from 'vitest';
import { startApi } from '../testing/api.ts';
import { type FakeAnswers, orderRecord } from '../testing/fakes.ts';

const TOKEN = 'a-token-of-sixteen';
const { orderId, traceId } = orderRecord();

async function start(answers: FakeAnswers) {
  const { api: app, ...fakes } = await startApi(answers, { operatorToken: TOKEN });
  const post = async (step: string, payload?: unknown, { token = TOKEN, id = orderId } = {}) => {
    const response = await app.inject({
      method: 'POST',
      url: `/api/operator/orders/${id}/${step}`,
      headers: { authorization: `Bearer ${token}` },
      ...(payload !== undefined && { payload: payload as object }),
    });
    return { status: response.statusCode, ...response.json<{ data: unknown; errorCode: number; message: string }>() };
  };
  return { ...fakes, app, post };
}

describe.each([
  { step: 'cancel', body: {} },
  { step: 'refund', body: { restock: true } },
  { step: 'release', body: undefined },
])('$step', ({ step, body }) => {
  test('is for operators alone', async () => {
    const { post, asked } = await start({ orders: [orderRecord({ status: 'PAID' })] });
    expect(await post(step, body, { token: 'another-token-of-16' })).toMatchObject({ status: 401, errorCode: 1004 });
    expect(asked).toEqual([]);
  });

  test.each(['f'.repeat(24), 'x'])('answers 2000 for the unknown order %s', async (id) => {
    const { post } = await start({ orders: [orderRecord({ status: 'PAID' })] });
    expect(await post(step, body, { id })).toMatchObject({ status: 404, errorCode: 2000 });
  });

  test('refuses fields that it does not know', async () => {
    const { post, asked } = await start({ orders: [orderRecord({ status: 'PAID' })] });
    expect(await post(step, { ...body, force: true })).toMatchObject({ status: 400, errorCode: 1000 });
    expect(asked).toEqual([]);
  });

  test('answers 5001 for an order that nothing looks after', async () => {
    const { post } = await start({ orders: [orderRecord({ status: 'PAID' })] });
    expect(await post(step, body)).toMatchObject({ status: 503, errorCode: 5001, data: { order_id: orderId } });
  });

  test('is in the OpenAPI document, with every status that it answers', async () => {
    const { app } = await start({});
    await app.ready();
    const operation = app.swagger().paths?.[`/api/operator/orders/{orderID}/${step}`]?.post;
    expect(operation).toMatchObject({ security: [{ operatorToken: [] }], summary: expect.any(String) });
    const statuses = ['200', '400', '401', '404', '409', '413', '415', '429', '500', '503'];
    expect(Object.keys(operation?.responses ?? {})).toEqual(expect.arrayContaining(statuses));
  });
});

describe('cancel', () => {
  test.each([
    ['no body', undefined, 'The shop cancelled the order.'],
    ['no reason', {}, 'The shop cancelled the order.'],
    ['a reason', { reason: 'We are closed' }, 'We are closed.'],
  ])('tells the customer why: %s', async (_name, body, reason) => {
    const { post, asked } = await start({
      orders: [orderRecord({ status: 'WAITING_FOR_PAYMENT' })],
      cancel: async () => ({ outcome: 'underWay' }),
    });
    expect(await post('cancel', body)).toMatchObject({
      status: 202,
      errorCode: 0,
      message: 'the order is being cancelled',
      data: { order_id: orderId, trace_id: traceId },
      traceID: traceId,
    });
    expect(asked).toEqual([{ cancel: orderId, reason, operator: 'OPERATOR_TOKEN' }]);
  });

  test.each(['a\u0000b', 'two\nlines', ''])('refuses the reason %j, which a timeline cannot hold', async (reason) => {
    const { post, asked } = await start({ orders: [orderRecord({ status: 'WAITING_FOR_PAYMENT' })] });
    expect(await post('cancel', { reason })).toMatchObject({
      status: 400,
      data: { fields: [{ path: 'reason', problem: expect.stringContaining('one line') }] },
    });
    expect(asked).toEqual([]);
  });

  test('answers 200 once the order has ended', async () => {
    const { post } = await start({ orders: [orderRecord({ status: 'CANCELLED' })] });
    expect(await post('cancel')).toMatchObject({ status: 200, errorCode: 0, data: { status: 'CANCELLED' } });
  });

  test('answers 2001 if it is too late', async () => {
    const { post } = await start({
      orders: [orderRecord({ status: 'PAID' })],
      cancel: async () => ({ outcome: 'refused', why: 'It is being shipped' }),
    });
    expect(await post('cancel')).toMatchObject({ status: 409, errorCode: 2001, message: 'It is being shipped' });
  });
});

describe('refund', () => {
  test('answers 202 while it is under way, and hands the request on', async () => {
    const { post, asked } = await start({
      orders: [orderRecord({ status: 'FINISHED' })],
      refund: async () => ({ outcome: 'underWay' }),
    });
    expect(await post('refund', { restock: true })).toMatchObject({ status: 202, data: { status: 'FINISHED' } });
    expect(asked).toEqual([
      {
        refund: orderId,
        status: 'FINISHED',
        restock: true,
        reason: 'The shop refunded the order.',
        operator: 'OPERATOR_TOKEN',
      },
    ]);
  });

  test('answers 200 for an order that was refunded before', async () => {
    const { post } = await start({ orders: [orderRecord({ status: 'REFUNDED' })] });
    expect(await post('refund', { restock: false })).toMatchObject({ status: 200, data: { status: 'REFUNDED' } });
  });

  test('answers 2004 if there is nothing to refund', async () => {
    const { post } = await start({ orders: [orderRecord({ status: 'CANCELLED' })] });
    expect(await post('refund', { restock: false })).toMatchObject({ status: 409, errorCode: 2004 });
  });
});

describe('release', () => {
  test('answers with the order', async () => {
    const { post, asked } = await start({
      orders: [orderRecord({ status: 'PAID' })],
      release: async () => ({ outcome: 'ended', result: undefined }),
    });
    expect(await post('release')).toMatchObject({ status: 200, errorCode: 0, data: { status: 'PAID' } });
    expect(asked).toEqual([{ release: orderId, operator: 'OPERATOR_TOKEN' }]);
  });

  test('answers 2005 for an order that is not paid', async () => {
    const { post } = await start({ orders: [orderRecord({ status: 'WAITING_FOR_PAYMENT' })] });
    expect(await post('release')).toMatchObject({ status: 409, errorCode: 2005 });
  });
});
