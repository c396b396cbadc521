import { z } from 'zod';
import { newId } from './ids.ts';
import { Trigger, triggerFields } from './trigger.ts';

const when = z.enum(['before', 'after']);

/** A fault that a test scripts for requests to /v1. */
export const fault = z.strictObject({
  method: z.enum(['GET', 'POST']).optional(),
  /** `/v1/checkout/sessions/*\/expire`: a star stands for one part. All requests if it is left out. */
  path: z.string().startsWith('/v1').optional(),
  action: z.discriminatedUnion('type', [
    z.strictObject({
      type: z.literal('error'),
      status: z.int().min(400).max(599),
      errorType: z.string().optional(),
      code: z.string().optional(),
      message: z.string().optional(),
      /** Kept under the request's idempotency key, and answered again to it. */
      stored: z.boolean().default(false),
      /** Whether what was asked for happens anyway. */
      effect: z.boolean().default(false),
    }),
    z.strictObject({ type: z.literal('delay'), ms: z.int().min(1).max(600_000), when: when.default('before') }),
    /** No answer for this long, no effect, then the connection is reset. */
    z.strictObject({ type: z.literal('hang'), ms: z.int().min(1).max(600_000) }),
    /** The connection is reset before the request has an effect, or after it. */
    z.strictObject({ type: z.literal('reset'), when }),
    /** The effect happens, and the answer is kept back until the fault is released. */
    z.strictObject({ type: z.literal('hold') }),
  ]),
  ...triggerFields,
});

export type Fault = z.input<typeof fault>;
export type FaultAction = z.output<typeof fault>['action'];
export type FaultState = Fault & { id: string; fired: number; holding: number };

type Scripted = {
  id: string;
  fault: z.output<typeof fault>;
  trigger: Trigger;
  pattern: RegExp;
  holding: Set<() => void>;
};

/** The scripted faults of the moment. They are not kept over a restart. */
export class Faults {
  #faults: Scripted[] = [];

  add(scripted: z.output<typeof fault>): string {
    const id = newId('fault', 8);
    const source = scripted.path?.split('*').map(escape).join('[^/]+') ?? '.*';
    this.#faults.push({
      id,
      fault: scripted,
      trigger: new Trigger(scripted),
      pattern: new RegExp(`^${source}$`),
      holding: new Set(),
    });
    return id;
  }

  list(): FaultState[] {
    return this.#faults.map(({ id, fault, trigger, holding }) => ({
      ...fault,
      id,
      fired: trigger.fired,
      holding: holding.size,
    }));
  }

  /** Lets the answers go that a fault holds: this one's, or all. Gives how many there were. */
  release(id?: string): number {
    const answers = this.#faults
      .filter((scripted) => id === undefined || scripted.id === id)
      .flatMap(({ holding }) => [...holding]);
    for (const letGo of answers) letGo();
    return answers.length;
  }

  /** Removes all faults, and lets go what they hold. */
  clear(): void {
    this.release();
    this.#faults = [];
  }

  /** The fault that this request meets; asking counts as meeting it. */
  meet(method: string, path: string): { action: FaultAction; held: () => Promise<void> } | undefined {
    const scripted = this.#faults.find(
      ({ fault, pattern, trigger }) =>
        (fault.method === undefined || fault.method === method) && pattern.test(path) && trigger.acts(),
    );
    if (scripted === undefined) return undefined;
    return { action: scripted.fault.action, held: () => hold(scripted.holding) };
  }
}

async function hold(holding: Set<() => void>): Promise<void> {
  await new Promise<void>((resolve) => {
    const letGo = () => {
      holding.delete(letGo);
      resolve();
    };
    holding.add(letGo);
  });
}

function escape(text: string): string {
  return text.replace(/[.+?^${}()|[\]\\]/g, String.raw`\$&`);
}
