import { SignJWT } from 'jose';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createOrderLinks } from './order-links.ts';

const [OLD, NEW] = ['old-link-secret-of-32-characters-or-more', 'new-link-secret-of-32-characters-or-more'];
const ORDER = '68ce52f4cdbf4a483de63446';
const HOUR_MS = 3_600_000;
const REFUSED = { errorCode: 1004, statusCode: 401 };
const links = createOrderLinks({ secrets: [NEW, OLD], validSeconds: 86_400 });

describe('the token of a link', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  test('opens the order that it was made for', async () => {
    expect(await links.verify(await links.sign(ORDER))).toBe(ORDER);
  });

  test('is valid for as long as the settings say, and ends an hour later at most', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    vi.setSystemTime('2026-11-26T10:20:00Z');
    const token = await links.sign(ORDER);
    vi.setSystemTime('2026-11-27T10:20:00Z');
    expect(await links.verify(token)).toBe(ORDER);
    vi.setSystemTime('2026-11-27T11:00:01Z');
    await expect(links.verify(token)).rejects.toMatchObject({
      ...REFUSED,
      message: expect.stringContaining('expired'),
    });
  });

  test('is the same within the hour, so that a repeated create is answered alike', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    vi.setSystemTime('2026-11-26T10:20:00Z');
    const token = await links.sign(ORDER);
    vi.setSystemTime('2026-11-26T10:50:00Z');
    expect(await links.sign(ORDER)).toBe(token);
    vi.setSystemTime(Date.now() + HOUR_MS);
    expect(await links.sign(ORDER)).not.toBe(token);
  });

  test('of the old secret is accepted while it is rotated, and not after it', async () => {
    const token = await createOrderLinks({ secrets: [OLD], validSeconds: 60 }).sign(ORDER);
    expect(await links.verify(token)).toBe(ORDER);
    const rotated = createOrderLinks({ secrets: [NEW], validSeconds: 60 });
    await expect(rotated.verify(token)).rejects.toMatchObject(REFUSED);
  });

  test('is signed with the first secret', async () => {
    const rotated = createOrderLinks({ secrets: [NEW], validSeconds: 60 });
    expect(await rotated.verify(await links.sign(ORDER))).toBe(ORDER);
  });

  test.each([
    ['another audience', { aud: 'shop' }],
    ['another issuer', { iss: 'https://login.shop.example/' }],
    ['no order', { sub: undefined }],
    ['no end', { exp: undefined }],
  ])('is refused with %s, although the secret is the right one', async (_what, claims) => {
    const good = { iss: 'orders-api', aud: 'order-link', sub: ORDER, exp: Date.now() / 1000 + 60 };
    const key = new TextEncoder().encode(NEW);
    const sign = (payload: object) => new SignJWT({ ...payload }).setProtectedHeader({ alg: 'HS256' }).sign(key);
    expect(await links.verify(await sign(good))).toBe(ORDER);
    await expect(links.verify(await sign({ ...good, ...claims }))).rejects.toMatchObject(REFUSED);
  });

  test.each([
    ['empty', ''],
    ['no token', 'x'],
    ['100 KB long', 'x'.repeat(100_000)],
    ['not signed', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiI2OGNlNTJmNGNkYmY0YTQ4M2RlNjM0NDYifQ.'],
  ])('is refused if it is %s', async (_what, token) => {
    await expect(links.verify(token)).rejects.toMatchObject(REFUSED);
  });
});
