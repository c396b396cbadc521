import { connect, type ConnectionOptions } from 'node:tls';
import type { Config } from './config.ts';

type Connection = Config['temporal']['connection'];

const PROBE_TIMEOUT_MS = 5000;
const REFUSAL_TIMEOUT_MS = 500;

const UNTRUSTED = 'no CA that is trusted here has signed its certificate';
const EXPIRED = 'its certificate has expired';
const NOT_YET = 'its certificate is not valid yet';
const OTHER_NAME = 'its certificate is for another name';
const NO_TLS = 'what answers there speaks no TLS that fits';
const REFUSED = 'it refuses the TLS connection, perhaps for lack of a client certificate';

/** How a failed handshake shows in the words of Rust's TLS library, which a worker's connection uses. */
const NATIVE_PROBLEMS: readonly (readonly [pattern: RegExp, problem: string])[] = [
  [/NativeCertsNotFound/, 'this machine has no CA certificates'],
  [/InvalidCertificate\(Expired/, EXPIRED],
  [/InvalidCertificate\(NotValidYet/, NOT_YET],
  [/InvalidCertificate\(NotValidForName/, OTHER_NAME],
  [/InvalidCertificate\((?:UnknownIssuer|BadSignature|Other\(OtherError\(CaUsedAsEndEntity)/, UNTRUSTED],
  [/InvalidCertificate\((?<detail>.*?)\)/, 'its certificate is not valid'],
  [/InvalidMessage\(|NoApplicationProtocol|PeerIncompatible|PeerMisbehaved/, NO_TLS],
  [/AlertReceived\((?<detail>\w+)/, REFUSED],
];

/** The same in the words of Node's. */
const NODE_PROBLEMS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: EXPIRED,
  CERT_NOT_YET_VALID: NOT_YET,
  ERR_TLS_CERT_ALTNAME_INVALID: OTHER_NAME,
  DEPTH_ZERO_SELF_SIGNED_CERT: UNTRUSTED,
  SELF_SIGNED_CERT_IN_CHAIN: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT: UNTRUSTED,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNTRUSTED,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNTRUSTED,
  CERT_SIGNATURE_FAILURE: UNTRUSTED,
  ERR_SSL_WRONG_VERSION_NUMBER: NO_TLS,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: NO_TLS,
};

/**
 * Why TLS with Temporal can't come about, in words that name what is wrong.
 *
 * A worker's connection says so itself. A client's only says that it ran out of time, so the handshake is made once
 * more.
 *
 * @returns the rest of a sentence about the server, or undefined if TLS is not the problem
 */
export async function tlsProblem(error: unknown, connection: Connection): Promise<string | undefined> {
  const message = error instanceof Error ? error.message : String(error);
  for (const [pattern, problem] of NATIVE_PROBLEMS) {
    const found = pattern.exec(message);
    if (found !== null) return withDetail(problem, found.groups?.['detail']);
  }
  if (/deadline/i.test(message) && usesTls(connection)) return probe(connection);
  return undefined;
}

/** An API key switches TLS on. */
function usesTls({ tls, apiKey }: Connection): boolean {
  return tls === undefined || tls === null ? apiKey !== undefined : tls !== false;
}

/** Makes the handshake that the client's connection makes, and nothing more. */
async function probe({ address, tls }: Connection): Promise<string | undefined> {
  const given = typeof tls === 'object' ? (tls ?? {}) : {};
  const { hostname, port } = new URL(`https://${address}`);
  const host = hostname.replace(/^\[|\]$/g, '');
  const servername = given.serverNameOverride ?? host;
  const options: ConnectionOptions = {
    host,
    port: Number(port || 443),
    ALPNProtocols: ['h2'],
    timeout: PROBE_TIMEOUT_MS,
    ...(/^[\d.:]+$/.test(servername) ? {} : { servername }),
    ...(given.serverRootCACertificate && { ca: Buffer.from(given.serverRootCACertificate) }),
    ...(given.clientCertPair && {
      cert: Buffer.from(given.clientCertPair.crt),
      key: Buffer.from(given.clientCertPair.key),
    }),
  };
  return new Promise((resolve) => {
    // With TLS 1.3 a server that misses the client's certificate says so only after the handshake.
    const socket = connect(options, () => setTimeout(() => settle(undefined), REFUSAL_TIMEOUT_MS));
    const settle = (problem: string | undefined): void => {
      socket.destroy();
      resolve(problem);
    };
    socket.once('timeout', () => settle(undefined));
    socket.once('error', (error: NodeJS.ErrnoException) => {
      const { code = '' } = error;
      const known = NODE_PROBLEMS[code];
      if (known !== undefined) return settle(known);
      if (code.includes('_ALERT_')) return settle(REFUSED);
      return settle(
        /^(?:CERT_|ERR_SSL|ERR_TLS|UNABLE_TO|EPROTO)/.test(code) ? `TLS fails: ${error.message}` : undefined,
      );
    });
  });
}

function withDetail(problem: string, detail: string | undefined): string {
  return detail === undefined ? problem : `${problem} (${detail})`;
}
