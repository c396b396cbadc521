import { proxyActivities } from '@temporalio/workflow';
import type * as activities from './activities.ts';

const { first, second, third } = proxyActivities<typeof activities>({ startToCloseTimeout: '15s' });

/** The least that an order of three steps can be on Temporal. */
export async function bareOrder(): Promise<void> {
  await first();
  await second();
  await third();
}
