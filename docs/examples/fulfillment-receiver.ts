import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

/** A request that was signed longer ago than this is refused: somebody may have kept it. */
const TOLERANCE_SECONDS = 300;

type Shipment = { readonly status: 'shipped'; readonly trackingNumber: string } | { readonly status: 'called off' };

/**
 * An example of the service behind FULFILLMENT_URL, after docs/fulfillment.md: it keeps its shipments in memory, where a
 * real one keeps them in its database.
 *
 * @param secret the value of FULFILLMENT_SECRET
 */
export function createFulfillmentReceiver(secret: string): { server: Server; shipments: Map<string, Shipment> } {
  const shipments = new Map<string, Shipment>();
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const answer = (status: number, body: object) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    const body = await readBody(request);
    if (!isSigned(request.headers['fulfillment-signature'], body, secret)) {
      return answer(401, { reason: 'the signature is missing, wrong or old' });
    }
    const { order_id: orderId } = JSON.parse(body) as { order_id: string };
    if (request.method === 'DELETE') {
      const shipment = shipments.get(orderId) ?? { status: 'called off' };
      shipments.set(orderId, shipment);
      return shipment.status === 'shipped'
        ? answer(409, { reason: 'it has left already', tracking_number: shipment.trackingNumber })
        : answer(200, {});
    }
    // The same order again is the same shipment: an answer may have been lost on its way.
    const shipment = shipments.get(orderId) ?? { status: 'shipped', trackingNumber: `TRACK-${orderId.slice(0, 8)}` };
    shipments.set(orderId, shipment);
    return shipment.status === 'shipped'
      ? answer(200, { tracking_number: shipment.trackingNumber })
      : answer(410, { reason: 'the shipment was called off' });
  };
  const server = createServer((request, response) => {
    // What is not answered is asked again.
    handle(request, response).catch(() => response.destroy());
  });
  return { server, shipments };
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function isSigned(header: string | string[] | undefined, body: string, secret: string): boolean {
  const [, time = '', given = ''] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(String(header)) ?? [];
  const expected = createHmac('sha256', secret).update(`${time}.${body}`).digest();
  const age = Math.abs(Date.now() / 1000 - Number(time));
  return given !== '' && age <= TOLERANCE_SECONDS && timingSafeEqual(Buffer.from(given, 'hex'), expected);
}
