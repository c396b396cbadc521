import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { freePort } from '../../platform/free-port.ts';
import type { Reporter } from './stack-error.ts';
import { openStateFolder, type StateFolder } from './state-folder.ts';
import { planZipkin } from './zipkin.ts';

const log: Reporter = { up: () => undefined, progress: () => undefined, warn: () => undefined };
const events = { died: () => undefined, keepsDying: () => undefined, restarted: () => undefined };

let folder: string;
let state: StateFolder;
let server: Server | undefined;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'zipkin-test-'));
  ({ folder: state } = await openStateFolder(join(folder, 'state')));
  mkdirSync(join(folder, 'bin'));
  vi.stubEnv('PATH', join(folder, 'bin'));
  vi.stubEnv('XDG_CACHE_HOME', join(folder, 'cache'));
});

afterEach(() => {
  vi.unstubAllEnvs();
  server?.close();
  server = undefined;
  rmSync(folder, { recursive: true });
});

function program(name: string, script: string): void {
  const path = join(folder, 'bin', name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
}

async function listen(status: number): Promise<number> {
  server = createServer((_request, response) => response.writeHead(status).end()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

test('a Zipkin that runs already is used, and anything else on its port is reported', async () => {
  const port = await listen(200);
  expect(await planZipkin(port, state, log, events)).toEqual({ url: `http://127.0.0.1:${port}`, create: undefined });
  const other = await listen(404);
  expect(await planZipkin(other, state, log, events)).toEqual({
    missing: `port ${other} is taken; set ZIPKIN_PORT to a free port`,
  });
});

test('what is missing for one is told: Java, a newer Java, Maven', async () => {
  const port = await freePort();
  expect(await planZipkin(port, state, log, events)).toEqual({ missing: 'it needs Java 17 or newer' });
  program('java', 'echo \'openjdk version "1.8.0_402"\' >&2');
  expect(await planZipkin(port, state, log, events)).toEqual({ missing: 'it needs Java 17 or newer' });
  program('java', 'echo \'openjdk version "17.0.15" 2025-04-15\' >&2');
  expect(await planZipkin(port, state, log, events)).toEqual({ missing: 'it is fetched with Maven' });
  program('mvn', '');
  expect(await planZipkin(port, state, log, events)).toMatchObject({ url: `http://127.0.0.1:${port}` });
});
