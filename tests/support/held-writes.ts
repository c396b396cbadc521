import { expect } from 'vitest';
import type { OrderStatus } from '../../domain/order-status.ts';
import type { World } from './world.ts';

/** What becomes of a write whose writer crashed meanwhile: PostgreSQL commits it, or rolls it back. */
export const fates = ['committed', 'lost'] as const;
export type Fate = (typeof fates)[number];

/** The locks that the writes of each fate wait for. */
const lockOf: Record<Fate, number> = { committed: 1, lost: 2 };

/** Holds writes of orders' rows open when they are made and not committed yet. */
export type HeldWrites = {
  /** From now on the write that brings the order into this status waits. */
  readonly hold: (orderId: string, status: OrderStatus, fate: Fate) => Promise<void>;
  /** Waits until this many writes are held at the same time. */
  readonly untilHeld: (count: number) => Promise<void>;
  /** Lets each held write have its fate, and waits until it had; from now on nothing is held any more. */
  readonly letGo: () => Promise<void>;
};

/** Adds to the world's database what holds writes; to be called once a world. */
export async function holdWrites(world: World): Promise<HeldWrites> {
  const { database } = world;
  await database.query(`
    CREATE TABLE held_writes (order_id text, status text, lock_key bigint, PRIMARY KEY (order_id, status));
    CREATE FUNCTION hold_write() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      PERFORM pg_advisory_xact_lock_shared(lock_key) FROM held_writes
        WHERE order_id = NEW.order_id AND status = NEW.status;
      RETURN NULL;
    END $$;
    CREATE TRIGGER hold_write AFTER INSERT ON order_timeline FOR EACH ROW EXECUTE FUNCTION hold_write();`);
  const gate = await database.connect();
  for (const fate of fates) await gate.query('SELECT pg_advisory_lock($1)', [lockOf[fate]]);

  async function held(): Promise<{ pid: number; fate: Fate }[]> {
    const { rows } = await database.query<{ pid: number; key: number }>(`
      SELECT pid, objid::integer AS key FROM pg_locks
      WHERE locktype = 'advisory' AND NOT granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`);
    return rows.map(({ pid, key }) => ({ pid, fate: key === lockOf.lost ? 'lost' : 'committed' }));
  }

  return {
    hold: async (orderId, status, fate) => {
      await database.query('INSERT INTO held_writes VALUES ($1, $2, $3)', [orderId, status, lockOf[fate]]);
    },
    untilHeld: async (count) => {
      await world.until(async () => expect(await held()).toHaveLength(count));
    },
    letGo: async () => {
      const lost = (await held()).filter(({ fate }) => fate === 'lost').map(({ pid }) => pid);
      await database.query('SELECT pg_terminate_backend(pid) FROM unnest($1::integer[]) AS pid', [lost]);
      await world.until(async () => expect((await held()).filter(({ fate }) => fate === 'lost')).toEqual([]));
      for (const fate of fates) await gate.query('SELECT pg_advisory_unlock($1)', [lockOf[fate]]);
      gate.release();
      await world.until(async () => expect(await held()).toEqual([]));
    },
  };
}
