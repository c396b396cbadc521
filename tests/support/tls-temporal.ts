import { execFileSync, spawn } from 'node:child_process';
import { createSign, generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common';
import { freePort } from '../../platform/free-port.ts';

export type Certificate = { readonly certificate: string; readonly key: string };

/** A certificate authority of the test's own, and servers' certificates that it signs; all are files in a folder. */
export function certificateAuthority(folder: string, name: string) {
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    `${name}.key`,
    '-out',
    `${name}.pem`,
    '-days',
    '2',
    '-subj',
    `/CN=${name}`,
  );
  return {
    file: join(folder, `${name}.pem`),
    /** @param days how long it is valid from now; a negative number makes one that has expired */
    sign: (server: string, names: string, days: number): Certificate => {
      openssl('req', '-new', ...key, '-keyout', `${server}.key`, '-out', `${server}.csr`, '-subj', '/CN=temporal');
      writeFileSync(join(folder, `${server}.ext`), `subjectAltName=${names}\nextendedKeyUsage=serverAuth\n`);
      const by = ['-CA', `${name}.pem`, '-CAkey', `${name}.key`, '-CAcreateserial'];
      const files = ['-in', `${server}.csr`, '-out', `${server}.pem`, '-extfile', `${server}.ext`];
      openssl('x509', '-req', ...files, ...by, '-days', String(days));
      return { certificate: join(folder, `${server}.pem`), key: join(folder, `${server}.key`) };
    },
  };
}

/** Who issues the API keys: the server asks it for the public key that they are signed with. */
export async function apiKeyIssuer() {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const keys = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'test', use: 'sig', alg: 'RS256' }] };
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify(keys));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys.json`,
    issue: (...permissions: string[]): string => {
      const claims = { sub: 'order-backend', permissions, exp: Math.floor(Date.now() / 1000) + 3600 };
      const signed = `${encode({ alg: 'RS256', typ: 'JWT', kid: 'test' })}.${encode(claims)}`;
      return `${signed}.${createSign('RSA-SHA256').update(signed).sign(privateKey, 'base64url')}`;
    },
    close: () => server.close(),
  };
}

/**
 * Temporal's real server, in memory: it speaks TLS alone and answers nobody without an API key.
 *
 * @param options.program `temporal-server`, which unlike the development server can do both
 * @returns its address, once the namespace `default` is there
 */
export async function startTlsTemporal(options: {
  readonly program: string;
  readonly folder: string;
  readonly ca: string;
  readonly server: Certificate;
  readonly keysUrl: string;
  readonly adminKey: string;
}) {
  const ports = await Promise.all(Array.from({ length: 6 }, freePort));
  const service = (index: number): object => ({
    rpc: { grpcPort: ports[index], membershipPort: ports[index + 1], bindOnLocalHost: true },
  });
  const sql = (databaseName: string): object => ({
    sql: {
      pluginName: 'sqlite',
      databaseName,
      connectAddr: 'localhost',
      connectProtocol: 'tcp',
      connectAttributes: { mode: 'memory', cache: 'private' },
      maxConns: 1,
      maxIdleConns: 1,
      maxConnLifetime: '1h',
    },
  });
  const address = `127.0.0.1:${ports[0]}`;
  const config = {
    log: { stdout: true, level: 'warn' },
    persistence: {
      defaultStore: 'default',
      visibilityStore: 'visibility',
      numHistoryShards: 1,
      datastores: { default: sql('default'), visibility: sql('visibility') },
    },
    global: {
      membership: { maxJoinDuration: '30s', broadcastAddress: '127.0.0.1' },
      tls: {
        frontend: {
          server: { certFile: options.server.certificate, keyFile: options.server.key },
          client: { serverName: 'localhost', rootCaFiles: [options.ca] },
        },
      },
      authorization: {
        jwtKeyProvider: { keySourceURIs: [options.keysUrl] },
        permissionsClaimName: 'permissions',
        authorizer: 'default',
        claimMapper: 'default',
      },
    },
    services: { frontend: service(0), history: service(2), matching: service(4) },
    clusterMetadata: {
      enableGlobalNamespace: false,
      failoverVersionIncrement: 10,
      masterClusterName: 'active',
      currentClusterName: 'active',
      clusterInformation: {
        active: { enabled: true, initialFailoverVersion: 1, rpcName: 'frontend', rpcAddress: address },
      },
    },
    dcRedirectionPolicy: { policy: 'noop' },
  };
  const file = join(options.folder, 'temporal.yaml');
  // JSON is YAML too.
  writeFileSync(file, JSON.stringify(config));
  const services = ['frontend', 'history', 'matching'].flatMap((name) => ['--service', name]);
  const child = spawn(options.program, ['--config-file', file, 'start', ...services], {
    cwd: options.folder,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => void (output += String(chunk)));
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));

  const deadline = Date.now() + 60_000;
  for (;;) {
    try {
      await registerNamespace(address, options);
      break;
    } catch (error) {
      if (Date.now() < deadline && child.exitCode === null) continue;
      child.kill('SIGKILL');
      throw new Error(`Temporal with TLS does not start:\n${output.slice(-3000)}`, { cause: error });
    }
  }
  return {
    address,
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

async function registerNamespace(address: string, { ca, adminKey }: { ca: string; adminKey: string }): Promise<void> {
  const connection = await Connection.connect({
    address,
    apiKey: adminKey,
    tls: { serverRootCACertificate: readFileSync(ca) },
    connectTimeout: 1000,
  });
  try {
    await connection.workflowService.registerNamespace({
      namespace: 'default',
      workflowExecutionRetentionPeriod: msToTs('1 day'),
    });
  } finally {
    await connection.close();
  }
}
