import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { Ajv, type ValidateFunction } from 'ajv';
import { processEnvironment } from '../../../platform/config.ts';
import { cacheFolder, programOnPath } from '../../stack/programs.ts';

/** Stripe's own stateless mock: it holds the OpenAPI document, and refuses requests that the document does not allow. */
const MODULE = 'github.com/stripe/stripe-mock';
const VERSION = 'v0.203.0';
const DOWNLOAD_TIMEOUT_MS = 120_000;
const BUILD_TIMEOUT_MS = 300_000;
const START_TIMEOUT_MS = 30_000;

const run = promisify(execFile);

/** Why stripe-mock cannot be had here, or undefined. */
export function stripeMockMissing(): string | undefined {
  return programOnPath('go') === undefined ? 'Go is not installed, and stripe-mock is built with it' : undefined;
}

export type StripeMock = { url: string; stop: () => void };

/** Builds stripe-mock once for this user, and starts it on a free port. */
export async function startStripeMock(): Promise<StripeMock> {
  const folder = join(cacheFolder(), `stripe-mock-${VERSION}`);
  const program = join(folder, 'stripe-mock');
  if (!existsSync(program)) {
    mkdirSync(folder, { recursive: true });
    const env = { ...processEnvironment(), GOBIN: folder };
    await run('go', ['install', `${MODULE}@${VERSION}`], { env, cwd: folder, timeout: BUILD_TIMEOUT_MS });
  }
  const child = spawn(program, ['-http-addr', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const stop = () => child.kill();
  const port = await new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('stripe-mock said no port in time')), START_TIMEOUT_MS);
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`stripe-mock ended with ${code}`)));
    createInterface(child.stdout).on('line', (line) => {
      const port = /Listening for HTTP.*:(\d+)/.exec(line)?.[1];
      if (port === undefined) return;
      clearTimeout(timer);
      resolve(port);
    });
  }).catch((error: unknown) => {
    stop();
    throw error;
  });
  return { url: `http://127.0.0.1:${port}`, stop };
}

type Schema = Record<string, unknown>;

/** Validators of Stripe's objects, by the name of their schema, from the OpenAPI document inside stripe-mock. */
export async function loadStripeSchemas(): Promise<(name: string) => ValidateFunction> {
  const { stdout } = await run('go', ['mod', 'download', '-json', `${MODULE}@${VERSION}`], {
    timeout: DOWNLOAD_TIMEOUT_MS,
  });
  const { Dir } = JSON.parse(stdout) as { Dir: string };
  const text = readFileSync(join(Dir, 'embedded/openapi/spec3.json'), 'utf8');
  const document = JSON.parse(text, toJsonSchema) as Schema;
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  ajv.addSchema({ components: document['components'] }, 'stripe');
  return (name) => ajv.compile({ $ref: `stripe#/components/schemas/${name}` });
}

/**
 * Maps one node of the OpenAPI 3.0 document to JSON Schema: `nullable` becomes a type, an expandable reference its id
 * (what is expanded is validated by itself), and an object may have no field that the document does not know.
 */
function toJsonSchema(_key: string, node: unknown): unknown {
  if (typeof node !== 'object' || node === null || Array.isArray(node)) return node;
  let schema = node as Schema;
  if ('x-expansionResources' in schema) schema = { type: 'string', nullable: schema['nullable'] };
  if (schema['type'] === 'object' && 'properties' in schema) schema = { additionalProperties: false, ...schema };
  // Stripe adds values to these enums without a new version.
  if (schema['x-stripeBypassValidation'] === true) delete schema['enum'];
  if (schema['nullable'] !== true) return schema;
  const { nullable: _, ...rest } = schema;
  return { anyOf: [rest, { type: 'null' }] };
}
