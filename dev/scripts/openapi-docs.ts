import { createOrdersApp } from '../../api/orders-api.ts';
import { fakeDependencies } from '../../api/testing/fakes.ts';

/** The file that the document is committed as. */
export const OPENAPI_FILE = 'docs/openapi.json';

/** Returns the OpenAPI document as it is served with all routes, the operators' among them, as text. */
export async function openApiDocument(): Promise<string> {
  const app = await createOrdersApp({
    ...fakeDependencies().dependencies,
    checks: {},
    requestsPerMinute: 1,
    trustedProxies: [],
    // Sign-in of both kinds, so that the document tells of both. Nobody is signed in here.
    verifyToken: () => Promise.reject(new Error('the document is made without requests')),
    operatorToken: 'a token that nobody has',
  });
  try {
    await app.ready();
    return `${JSON.stringify(app.swagger(), undefined, 2)}\n`;
  } finally {
    await app.close();
  }
}
