import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../platform/free-port.ts';
import { compiled } from './support/compiled.ts';
import { PENCIL, startWorld, type World } from './support/world.ts';

const execute = promisify(execFile);

type Ended = { readonly code: number; readonly out: string; readonly err: string };

describe('the command line', () => {
  let world: World;
  let emptyFolder: string;
  beforeAll(async () => {
    emptyFolder = mkdtempSync(join(tmpdir(), 'order-backend-cli-'));
    world = await startWorld();
  });
  afterAll(async () => {
    rmSync(emptyFolder, { recursive: true });
    await world.stop();
  });

  async function cli(args: readonly string[], settings: Readonly<Record<string, string>> = {}): Promise<Ended> {
    const { config } = world;
    const env = {
      PATH: process.env['PATH'],
      DATABASE_URL: config.database.url,
      TEMPORAL_ADDRESS: config.temporal.connection.address,
      TASK_QUEUE_PREFIX: config.temporal.taskQueuePrefix,
      PUBLIC_URL: config.publicUrl,
      STRIPE_SANDBOX_URL: config.stripeSandbox.url,
      STRIPE_SANDBOX_WEBHOOK_URL: config.stripeSandbox.webhookUrl,
      STATE_DIR: emptyFolder,
      ...settings,
    };
    try {
      const { stdout, stderr } = await execute(process.execPath, [compiled('cli/main.ts'), ...args], { env });
      return { code: 0, out: stdout, err: stderr };
    } catch (error) {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
      return { code, out: stdout, err: stderr };
    }
  }

  test('shows an order for people and for programs', async () => {
    const { orderId, traceId } = await world.finishedOrder();
    const [text, json] = await Promise.all([
      cli(['order', 'show', orderId], {
        TEMPORAL_UI_URL: 'http://temporal.test/',
        ZIPKIN_UI_URL: 'http://zipkin.test',
      }),
      cli(['order', 'show', orderId, '--json']),
    ]);
    expect(text).toMatchObject({ code: 0, err: '' });
    expect(text.out).toContain(`Order ${orderId}  FINISHED`);
    expect(text.out).toContain('1 × Pencil at $1.00 = $1.00');
    expect(text.out).toMatch(/\+[\d.]+ s +FINISHED +order\.finished +The order was shipped/);
    expect(text.out).toContain(`http://temporal.test/namespaces/default/workflows/${orderId}`);
    expect(text.out).toContain(`http://zipkin.test/zipkin/traces/${traceId}`);
    expect(json.code).toBe(0);
    expect(JSON.parse(json.out)).toMatchObject({
      orderId,
      status: 'FINISHED',
      workflow: { found: true, status: 'COMPLETED' },
      timeline: [{ event: 'order.created' }, {}, {}, { event: 'order.finished' }],
    });
  });

  test('lists orders, cancels and refunds them', async () => {
    const waiting = await world.orderWaitingForPayment();
    const listed = await cli(['order', 'list', '--status', 'WAITING_FOR_PAYMENT', '--json']);
    expect(JSON.parse(listed.out)).toMatchObject([{ orderId: waiting.orderId, customerId: waiting.customerId }]);

    const cancelled = await cli(['order', 'cancel', waiting.orderId, '--reason', 'Nobody wants it.']);
    expect(cancelled).toMatchObject({ code: 0, out: `Order ${waiting.orderId} is CANCELLED.\n` });
    expect((await world.order(waiting.orderId)).timeline.at(-1)?.detail).toContain('Nobody wants it.');

    const finished = await world.finishedOrder();
    const available = await world.stockOf(PENCIL);
    const refused = await cli(['order', 'cancel', finished.orderId]);
    expect(refused.code).toBe(4);
    expect(refused.err).toContain(`order refund ${finished.orderId}`);
    const refunded = await cli(['order', 'refund', finished.orderId, '--restock']);
    expect(refunded).toMatchObject({ code: 0, err: '' });
    expect(await world.order(finished.orderId)).toMatchObject({ status: 'REFUNDED' });
    expect(await world.stockOf(PENCIL)).toBe(available + 1);
  });

  test('adds stock', async () => {
    const available = await world.stockOf(PENCIL);
    const added = await cli(['stock', 'add', PENCIL, '7']);
    expect(added).toMatchObject({ code: 0, out: `${PENCIL}: 7 added, ${available + 7} available now.\n` });
    expect(await world.stockOf(PENCIL)).toBe(available + 7);
    const removed = await cli(['stock', 'remove', PENCIL, '3', '--reason', 'Broken in the shop.']);
    expect(removed).toMatchObject({ code: 0, out: `${PENCIL}: 3 removed, ${available + 4} available now.\n` });
    const tooMany = await cli(['stock', 'remove', PENCIL, String(available + 5), '--reason', 'Counted.']);
    expect(tooMany).toMatchObject({ code: 4, err: expect.stringContaining(`${available + 4} are available`) });
    expect(await world.stockOf(PENCIL)).toBe(available + 4);
  });

  test('adds and changes items, and shows who changed what and why', async () => {
    const added = await cli('item add pen --name Pen --price 150 --currency EUR --stock 5'.split(' '));
    expect(added).toMatchObject({ code: 0, out: 'Added. pen: Pen at €1.50, on sale, 5 available.\n' });
    const again = await cli('item add pen --name Pen --price 150 --currency EUR'.split(' '));
    expect(again).toMatchObject({ code: 4, err: expect.stringContaining('Item pen already exists') });
    const changed = await cli([...'item change pen --price 200 --off-sale --reason'.split(' '), 'Dearer.', '--json']);
    expect(JSON.parse(changed.out)).toMatchObject({ itemId: 'pen', unitAmountMinor: 200, onSale: false });
    const changes = await cli(['item', 'changes', 'pen']);
    expect(changes.out).toMatch(/command line: \w+ +onSale true → false, unitAmountMinor 150 → 200 +Dearer\./);
    const refused = await cli(['item', 'change', 'pen', '--name', ' ']);
    expect(refused).toMatchObject({ code: 2, err: expect.stringContaining('name must not be blank') });
  });

  test('finds nothing wrong if nothing is', async () => {
    const healthy = await cli(['doctor']);
    expect(healthy).toMatchObject({ code: 0, err: '' });
    expect(healthy.out).toContain('All is well.');
  });

  test.each([
    { args: ['order', 'show', '12'], code: 2, says: '24 hexadecimal digits' },
    { args: ['order', 'list', '--status', 'PAYED'], code: 2, says: 'Allowed choices are PENDING' },
    { args: ['order', 'list', '--limit', '0'], code: 2, says: 'a whole number from 1 to 1000' },
    { args: ['stock', 'add', PENCIL, '-1'], code: 2, says: '' },
    { args: ['stock', 'remove', PENCIL, '1'], code: 2, says: '--reason' },
    { args: ['item', 'change', 'nothing', '--on-sale', '--off-sale'], code: 2, says: 'cannot be used with' },
    { args: ['item', 'change', 'nothing', '--on-sale'], code: 3, says: 'There is no item nothing' },
    { args: ['item', 'changes', 'nothing'], code: 3, says: 'There is no item nothing' },
    { args: 'item add pin --name Pin --price 5 --currency QQQ'.split(' '), code: 2, says: 'a currency code' },
    { args: ['nonsense'], code: 2, says: "unknown command 'nonsense'" },
    { args: ['order', 'show', 'a'.repeat(24)], code: 3, says: `There is no order ${'a'.repeat(24)}` },
    { args: ['order', 'refund', 'a'.repeat(24)], code: 3, says: 'There is no order' },
    { args: ['stock', 'add', 'nothing', '1'], code: 3, says: 'There is no item nothing' },
  ])('says what is wrong with $args', async ({ args, code, says }) => {
    const answer = await cli(args);
    expect(answer).toMatchObject({ code, out: '' });
    expect(answer.err).toContain(says);
    expect(answer.err).not.toMatch(/^ +at /m);
  });

  test('says that PostgreSQL or Temporal is down', async () => {
    const { orderId } = await world.finishedOrder();
    const nobody = `127.0.0.1:${await freePort()}`;
    const [noDatabase, noTemporal, doctor] = await Promise.all([
      cli(['stock', 'list'], { DATABASE_URL: `postgres://orders@${nobody}/orders` }),
      cli(['order', 'refund', orderId], { TEMPORAL_ADDRESS: nobody }),
      cli(['doctor'], { TEMPORAL_ADDRESS: nobody, DATABASE_URL: `postgres://orders@${nobody}/orders` }),
    ]);
    expect(noDatabase).toMatchObject({ code: 5, err: expect.stringContaining(nobody) });
    expect(noTemporal).toMatchObject({
      code: 5,
      err: expect.stringContaining(`Temporal at ${nobody} does not answer`),
    });
    expect(doctor).toMatchObject({ code: 6, err: '' });
    expect(doctor.out).toMatch(/✗ PostgreSQL/);
    expect(doctor.out).toMatch(/✗ Temporal/);
  });
});
