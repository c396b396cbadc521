import { z } from 'zod';

/** When a scripted fault or webhook rule acts: the next `times` (1 unless told), or a part of all, seeded. */
export const triggerFields = {
  times: z.int().min(1).optional(),
  probability: z.number().min(0).max(1).optional(),
  seed: z.int().min(0).optional(),
};

export type TriggerSettings = {
  times?: number | undefined;
  probability?: number | undefined;
  seed?: number | undefined;
};

/** Counts how often it acted, and says whether it acts now. */
export class Trigger {
  fired = 0;
  readonly #times: number;
  readonly #probability: number;
  readonly #random: () => number;

  constructor(settings: TriggerSettings) {
    this.#times = settings.times ?? (settings.probability === undefined ? 1 : Infinity);
    this.#probability = settings.probability ?? 1;
    this.#random = seededRandom(settings.seed ?? 1);
  }

  get spent(): boolean {
    return this.fired >= this.#times;
  }

  acts(): boolean {
    if (this.spent || this.#random() >= this.#probability) return false;
    this.fired += 1;
    return true;
  }

  /** A seeded number from 0 to 1. */
  random(): number {
    return this.#random();
  }
}

/** Numbers from 0 to 1 that come again with the same seed, so that a failing run can be repeated (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
