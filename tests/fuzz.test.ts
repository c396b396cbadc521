import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CUSTOMER_ID } from '../api/openapi-examples.ts';
import { must } from '../domain/must.ts';
import { findSchemathesis } from '../dev/scripts/schemathesis.ts';
import { rounds, seed } from './support/rounds.ts';
import { startWorld, type World } from './support/world.ts';

const SIGN_IN = {
  AUTH_SHARED_SECRET: 'a-secret-for-the-tests-of-32-characters',
  AUTH_ISSUER: 'https://login.shop.example/',
  AUTH_AUDIENCE: 'orders',
  ORDER_LINK_SECRET: 'another-secret-for-the-tests-of-32-characters',
};
/** For each route; the rest comes from its examples and from what its schema covers. */
const EXAMPLES = rounds({ usual: 120, long: 700 });
const LEAST_CASES = rounds({ usual: 2_000, long: 10_000 });
const TIMEOUT_MS = rounds({ usual: 10, long: 60 }) * 60_000;

/**
 * Everything but positive_data_acceptance: what the document can't say is refused too, an unknown item for example. A
 * customer id of 300 letters is refused by some routes as not valid, and by others as a customer who has no such order.
 */
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
  'negative_data_rejection',
  'missing_required_header',
  'unsupported_method',
  'allow_header_conformance',
  'ignored_auth',
];

const program = findSchemathesis();

describe.skipIf(program === undefined)('any request (needs `npm run fuzz:install`)', () => {
  let world: World;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'order-backend-fuzz-'));
    world = await startWorld(SIGN_IN);
  });
  // All invariants are checked here, over whatever was made and changed.
  afterAll(async () => {
    rmSync(folder, { recursive: true });
    await world.stop();
  }, TIMEOUT_MS);

  test(
    'is answered as the OpenAPI document says, and never with a fault of ours',
    async () => {
      const output = await fuzz({
        header: `Authorization: Bearer ${await token()}`,
        checks: CHECKS.join(','),
        phases: 'examples,coverage,fuzzing',
        'max-examples': String(EXAMPLES),
        seed: String(seed),
        'request-timeout': '30',
        'suppress-health-check': 'all',
        warnings: 'off',
        'generation-database': 'none',
      });
      expect(Number(/(\d+) generated/.exec(output)?.[1])).toBeGreaterThanOrEqual(LEAST_CASES);
      // Something must have come through, or nothing was tried.
      const { rows } = await world.database.query<{ orders: number; changes: number }>(
        'SELECT (SELECT count(*)::integer FROM orders) AS orders, (SELECT count(*)::integer FROM item_changes) AS changes',
      );
      expect(rows[0]?.orders).toBeGreaterThan(0);
      expect(rows[0]?.changes).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );

  /** Of the document's customer, who is an operator too: it opens all that the examples ask for. */
  function token(): Promise<string> {
    return new SignJWT({ scope: 'orders:operate' })
      .setProtectedHeader({ alg: 'HS256' })
      .setSubject(CUSTOMER_ID)
      .setIssuer(SIGN_IN.AUTH_ISSUER)
      .setAudience(SIGN_IN.AUTH_AUDIENCE)
      .setIssuedAt()
      .setExpirationTime('2h')
      .sign(new TextEncoder().encode(SIGN_IN.AUTH_SHARED_SECRET));
  }

  /** @throws Error with all that was found, and how to send it again */
  async function fuzz(options: Readonly<Record<string, string>>): Promise<string> {
    const args = Object.entries(options).flatMap(([option, value]) => [`--${option}`, value]);
    const child = spawn(
      must(program, 'schemathesis'),
      ['run', `${world.config.publicUrl}/docs/json`, '--no-color', ...args],
      {
        cwd: folder,
        env: { PATH: process.env['PATH'], HOME: folder },
      },
    );
    let output = `seed ${seed}\n`;
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        output += chunk;
      });
    }
    const [code] = (await once(child, 'close')) as [number];
    if (code !== 0) throw new Error(output);
    return output;
  }
});
