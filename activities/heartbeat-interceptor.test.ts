import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { MockActivityEnvironment } from '@temporalio/testing';
import { expect, test } from 'vitest';
import { HeartbeatInterceptor } from './heartbeat-interceptor.ts';

function environmentOf(heartbeatTimeoutMs: number | undefined): {
  readonly environment: MockActivityEnvironment;
  readonly heartbeats: () => number;
} {
  const environment = new MockActivityEnvironment(heartbeatTimeoutMs === undefined ? {} : { heartbeatTimeoutMs }, {
    interceptors: [() => ({ inbound: new HeartbeatInterceptor() })],
  });
  let count = 0;
  environment.on('heartbeat', () => {
    count += 1;
  });
  return { environment, heartbeats: () => count };
}

test('an activity that takes long says again and again that it is alive, and is silent once it has ended', async () => {
  const { environment, heartbeats } = environmentOf(60);
  const result = await environment.run(async () => {
    await once(environment, 'heartbeat');
    await once(environment, 'heartbeat');
    return 'done';
  });
  expect(result).toBe('done');
  const sent = heartbeats();
  await sleep(100);
  expect(heartbeats()).toBe(sent);
});

test.each([[undefined], [0], [30_000]])(
  'one that is soon done sends none, with a time-out of %s ms',
  async (timeoutMs) => {
    const { environment, heartbeats } = environmentOf(timeoutMs);
    await environment.run(() => sleep(50));
    expect(heartbeats()).toBe(0);
  },
);
