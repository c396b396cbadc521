import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterAll, afterEach, beforeAll, describe, expect, inject, test } from 'vitest';
import { freePort } from '../platform/free-port.ts';
import { programOnPath } from '../dev/stack/programs.ts';
import { temporalPrograms } from '../dev/stack/temporal-programs.ts';
import { compiled } from './support/compiled.ts';
import { apiKeyIssuer, type Certificate, certificateAuthority, startTlsTemporal } from './support/tls-temporal.ts';

const missing = ['go', 'openssl'].filter((name) => programOnPath(name) === undefined);
const reason = missing.map((name) => ` (no ${name})`).join('');

/** The processes that talk to Temporal: two with the client's connection, one with a worker's. */
const PROCESSES = ['api/orders-api.main.ts', 'api/webhook.main.ts', 'workers/all.ts'];

const ALL_READY = PROCESSES.map((entry) => `${entry} ready`);
const allLike = (line: RegExp): unknown[] => PROCESSES.map(() => expect.stringMatching(line));

/** The machine's own ways to say which CAs are trusted; a test says it itself. */
const CA_SETTINGS = new Set([
  'NODE_EXTRA_CA_CERTS',
  'NODE_USE_SYSTEM_CA',
  'NODE_OPTIONS',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'GRPC_DEFAULT_SSL_ROOTS_FILE_PATH',
]);

const folder = mkdtempSync(join(tmpdir(), 'order-backend-tls-'));
const started: ChildProcess[] = [];
const cleanUps: (() => unknown)[] = [];

// Three processes start at once in each test.
describe.skipIf(missing.length > 0)(`Temporal with TLS and API keys${reason}`, { timeout: 90_000 }, () => {
  let ca: ReturnType<typeof certificateAuthority>;
  let issuer: Awaited<ReturnType<typeof apiKeyIssuer>>;
  let address: string;
  let apiKey: string;

  beforeAll(async () => {
    const programs = await temporalPrograms();
    ca = certificateAuthority(folder, 'shop-ca');
    issuer = await apiKeyIssuer();
    cleanUps.push(issuer.close);
    apiKey = issuer.issue('default:admin', 'temporal-system:admin');
    const temporal = await startTlsTemporal({
      program: join(programs, 'temporal-server'),
      folder,
      ca: ca.file,
      server: ca.sign('temporal', 'IP:127.0.0.1,DNS:localhost', 2),
      keysUrl: issuer.url,
      adminKey: apiKey,
    });
    cleanUps.push(temporal.stop);
    // By name: Node warns of certificates for addresses.
    address = temporal.address.replace('127.0.0.1', 'localhost');
  }, 600_000);

  afterEach(() => {
    for (const child of started.splice(0)) child.kill('SIGKILL');
  });

  afterAll(async () => {
    for (const cleanUp of cleanUps.toReversed()) await cleanUp();
    rmSync(folder, { recursive: true, force: true });
  });

  test('all connect with a private CA and an API key', async () => {
    const settings = { TEMPORAL_API_KEY: apiKey, TEMPORAL_TLS_SERVER_CA_CERT_PATH: ca.file };
    expect(await readinessOf(settings)).toEqual(ALL_READY);
  });

  test('all connect with a CA that the system trusts', async () => {
    const settings = { TEMPORAL_API_KEY: apiKey, SSL_CERT_FILE: ca.file, NODE_EXTRA_CA_CERTS: ca.file };
    expect(await readinessOf(settings)).toEqual(ALL_READY);
  });

  // What the image does; an older Node reads a system's CAs only if OpenSSL does it.
  test.skipIf(Number.parseInt(process.versions.node, 10) < 24)(
    'all connect with the system’s file alone, as in the image (Node 24)',
    async () => {
      const settings = { TEMPORAL_API_KEY: apiKey, SSL_CERT_FILE: ca.file, NODE_USE_SYSTEM_CA: '1' };
      expect(await readinessOf(settings)).toEqual(ALL_READY);
    },
  );

  test('all end with one line if Temporal refuses the API key', async () => {
    const settings = { TEMPORAL_API_KEY: 'not-a-key', TEMPORAL_TLS_SERVER_CA_CERT_PATH: ca.file };
    expect(await endsOf(settings)).toEqual(allLike(/refuses this process: .*TEMPORAL_API_KEY/));
  });

  test('all end with one line if they trust no CA of the certificate', async () => {
    const other = certificateAuthority(folder, 'other-ca');
    const settings = { TEMPORAL_API_KEY: apiKey, TEMPORAL_TLS_SERVER_CA_CERT_PATH: other.file };
    expect(await endsOf(settings)).toEqual(allLike(/by TLS: no CA that is trusted here has signed its certificate\./));
  });

  test('all end with one line if the certificate has expired', async () => {
    const server = await tlsServer(ca.sign('expired', 'DNS:localhost', -1));
    const settings = { TEMPORAL_ADDRESS: server, TEMPORAL_TLS_SERVER_CA_CERT_PATH: ca.file };
    expect(await endsOf(settings)).toEqual(allLike(/by TLS: its certificate has expired\./));
  });

  test('all end with one line if the certificate is for another name', async () => {
    const server = await tlsServer(ca.sign('elsewhere', 'DNS:temporal.example', 2));
    const settings = { TEMPORAL_ADDRESS: server, TEMPORAL_TLS_SERVER_CA_CERT_PATH: ca.file };
    expect(await endsOf(settings)).toEqual(allLike(/by TLS: its certificate is for another name\./));
  });

  test('all end with one line if what answers speaks no TLS', async () => {
    const plain = inject('temporalAddress').replace('127.0.0.1', 'localhost');
    const settings = { TEMPORAL_ADDRESS: plain, TEMPORAL_TLS: 'true', SSL_CERT_FILE: ca.file };
    expect(await endsOf(settings)).toEqual(allLike(/by TLS: what answers there speaks no TLS that fits\./));
  });

  test('a worker ends with one line if the machine has no CA certificates', async () => {
    const nowhere = join(folder, 'nowhere');
    const settings = { TEMPORAL_API_KEY: apiKey, SSL_CERT_FILE: nowhere, SSL_CERT_DIR: nowhere };
    expect(await endOf('workers/all.ts', settings)).toMatch(/by TLS: this machine has no CA certificates\./);
  });

  async function readinessOf(settings: Readonly<Record<string, string>>): Promise<string[]> {
    return Promise.all(PROCESSES.map(async (entry) => `${entry} ${await (await start(entry, settings)).ready}`));
  }

  async function endsOf(settings: Readonly<Record<string, string>>): Promise<string[]> {
    return Promise.all(PROCESSES.map((entry) => endOf(entry, settings)));
  }

  async function start(entry: string, settings: Readonly<Record<string, string>>) {
    const operationsPort = await freePort();
    const inherited = Object.entries(process.env).filter(([name]) => !CA_SETTINGS.has(name));
    const child = spawn(process.execPath, [compiled(entry)], {
      env: {
        ...Object.fromEntries(inherited),
        NODE_ENV: 'production',
        AUTH_BY_GATEWAY: 'true',
        DATABASE_URL: inject('databaseUrl'),
        STRIPE_SANDBOX_URL: 'http://127.0.0.1:1',
        API_PORT: String(await freePort()),
        WEBHOOK_PORT: String(await freePort()),
        OPERATIONS_PORT: String(operationsPort),
        TEMPORAL_ADDRESS: address,
        ...settings,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    started.push(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (text: Buffer) => void (output += String(text)));
    const exited = new Promise<string>((resolve) => child.once('close', (code) => resolve(`${code}: ${output}`)));
    // Both kinds of process ask Temporal for the namespace here, over the connection that they have.
    const ready = (async () => {
      for (;;) {
        const answer = await fetch(`http://127.0.0.1:${operationsPort}/readyz`).catch(() => undefined);
        const checks: unknown = await answer?.json();
        if (JSON.stringify(checks)?.includes('"temporal":"ok"')) return 'ready';
        if (child.exitCode !== null) return exited;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    })();
    return { ready, exited };
  }

  /** What a process prints that ends by itself: the last line, after the log's. */
  async function endOf(entry: string, settings: Readonly<Record<string, string>>): Promise<string> {
    const { exited } = await start(entry, settings);
    const output = await exited;
    expect(output).toMatch(/^1: /);
    expect(output, 'no stack trace').not.toMatch(/^\s+at /m);
    const lines = output
      .trim()
      .split('\n')
      .filter((line) => !line.startsWith('{') && !line.startsWith('1: {'));
    expect(lines).toHaveLength(1);
    return lines[0] ?? '';
  }
});

/** A server of which only the certificate matters. */
async function tlsServer({ certificate, key }: Certificate): Promise<string> {
  expect([certificate, key].every((path) => existsSync(path))).toBe(true);
  const server = createSecureServer({ cert: readFileSync(certificate), key: readFileSync(key) });
  server.on('sessionError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanUps.push(() => server.close());
  return `localhost:${(server.address() as AddressInfo).port}`;
}
