import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import process from 'node:process';
import { expect, test } from 'vitest';
import { isListening, isPortFree, requireFreePort } from './ports.ts';
import { freePort } from '../../platform/free-port.ts';

test('a port that is taken is reported with its part, its holder and the setting that moves it', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  try {
    // The message names the holder if the system has a program that knows.
    const holder = `( by \\S+ \\(process ${process.pid}\\))?`;
    await expect(requireFreePort(port, 'the orders API', 'API_PORT')).rejects.toThrow(
      new RegExp(
        `^Port ${port}, for the orders API, is taken${holder}\\. Stop that, or set API_PORT to a free port\\.$`,
      ),
    );
  } finally {
    server.close();
    await once(server, 'close');
  }
  await expect(requireFreePort(port, 'the orders API', 'API_PORT')).resolves.toBeUndefined();
});

test('a free port can be listened on', async () => {
  expect(await isPortFree(await freePort())).toBe(true);
});

test('a server that listens is told from an address where nothing does', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  expect(await isListening(`127.0.0.1:${port}`)).toBe(true);
  server.close();
  await once(server, 'close');
  expect(await isListening(`127.0.0.1:${port}`)).toBe(false);
});
