import { z } from 'zod';
import { newId } from './ids.ts';
import type { Delivery } from './store.ts';
import { Trigger, triggerFields } from './trigger.ts';

/** What a test can ask for; several rules that match one event add up, so events can be duplicated and shuffled. */
export const webhookRule = z.strictObject({
  /** The event types it is for; all of them if it is left out. */
  types: z.array(z.string()).optional(),
  action: z.discriminatedUnion('type', [
    /** Not delivered; it can still be redelivered by its id. */
    z.strictObject({ type: z.literal('drop') }),
    /** Delivered this often, at once. */
    z.strictObject({ type: z.literal('duplicate'), copies: z.int().min(2).max(100) }),
    /** Kept until it is released. */
    z.strictObject({ type: z.literal('hold') }),
    /** Delivered at a seeded moment of the window, so that events overtake each other. */
    z.strictObject({ type: z.literal('shuffle'), windowMs: z.int().min(1).max(60_000) }),
  ]),
  ...triggerFields,
});

export type WebhookRule = z.input<typeof webhookRule>;
export type WebhookRuleState = WebhookRule & { id: string; fired: number };
export type DeliveryPlan = Pick<Delivery, 'status' | 'copies'> & { delayMs: number };

/** The rules of the moment. They are not kept over a restart. */
export class WebhookRules {
  #rules: { id: string; rule: z.output<typeof webhookRule>; trigger: Trigger }[] = [];

  add(rule: z.output<typeof webhookRule>): string {
    const id = newId('rule', 8);
    this.#rules.push({ id, rule, trigger: new Trigger(rule) });
    return id;
  }

  clear(): void {
    this.#rules = [];
  }

  list(): WebhookRuleState[] {
    return this.#rules.map(({ id, rule, trigger }) => ({ ...rule, id, fired: trigger.fired }));
  }

  /** How a new event is delivered. */
  plan(type: string): DeliveryPlan {
    const plan: DeliveryPlan = { status: 'pending', copies: 1, delayMs: 0 };
    for (const { rule, trigger } of this.#rules) {
      if (rule.types?.includes(type) === false || !trigger.acts()) continue;
      if (rule.action.type === 'drop') plan.status = 'dropped';
      else if (rule.action.type === 'hold' && plan.status === 'pending') plan.status = 'held';
      else if (rule.action.type === 'duplicate') plan.copies = Math.max(plan.copies, rule.action.copies);
      else if (rule.action.type === 'shuffle') plan.delayMs = Math.floor(trigger.random() * rule.action.windowMs);
    }
    return plan;
  }
}
