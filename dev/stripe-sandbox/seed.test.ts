import { expect, test } from 'vitest';
import { seededOrderId } from './seed.ts';
import { startSandbox } from './testing/test-support.ts';

const FROM_MS = Date.parse('2026-10-01T00:00:00Z');
const TO_MS = Date.parse('2026-10-31T00:00:00Z');
const SEED = { count: 250, amountMinor: 1000, currency: 'usd', fromMs: FROM_MS, toMs: TO_MS };

test('a month of payments is there in a moment, pages of it by when they were made, and nobody is told', async () => {
  const { admin, stripe } = await startSandbox();
  await admin.seedCharges({ ...SEED, refundEvery: 10, disputeEvery: 50 });
  const created = { gte: (FROM_MS + (TO_MS - FROM_MS) / 2) / 1000 };
  const orderIds: string[] = [];
  for await (const charge of stripe.charges.list({ created, limit: 100 })) {
    orderIds.push(charge.metadata['order_id'] ?? '');
  }
  expect(orderIds).toEqual(Array.from({ length: 125 }, (_, index) => seededOrderId(250 - index)));
  const { charges, refunds, disputes } = await admin.ledger();
  expect([charges.length, refunds.length, disputes.length]).toEqual([250, 25, 5]);
  expect(refunds[0]).toMatchObject({ orderId: seededOrderId(10), amountMinor: 500, created: charges[9]?.created });
  expect(await admin.deliveries()).toEqual([]);
});

test('an account that has charges is not seeded', async () => {
  const { admin } = await startSandbox();
  await admin.seedCharges(SEED);
  await expect(admin.seedCharges(SEED)).rejects.toThrow('Only an account without charges');
});
