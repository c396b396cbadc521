import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { OPENAPI_FILE, openApiDocument } from '../dev/scripts/openapi-docs.ts';

type Media = { readonly schema: object; readonly example?: unknown };
type Content = Readonly<Record<string, Media>>;
type Operation = {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  readonly security?: readonly object[];
  readonly requestBody?: { readonly required: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Content }>>;
};

const text = await openApiDocument();
const document = JSON.parse(text) as {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly securitySchemes: object; readonly schemas: object };
};
const routes = Object.entries(document.paths).flatMap(([path, operations]) =>
  Object.entries(operations).map(([method, operation]) => ({ route: `${method} ${path}`, path, operation })),
);

test(`${OPENAPI_FILE} is the document that is served`, () => {
  expect(readFileSync(join(import.meta.dirname, '..', OPENAPI_FILE), 'utf8'), 'run `npm run docs:openapi`').toBe(text);
});

const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
ajv.addSchema({ $id: 'document', components: document.components });

function problemsOf({ schema, example }: Media): unknown {
  const validate = ajv.compile(schema);
  return validate(example) ? [] : validate.errors;
}

describe.each(routes)('$route', ({ path, operation }) => {
  const { operationId, summary, tags, security, requestBody, responses } = operation;

  test('says what it does, and who may call it', () => {
    expect([operationId, summary, tags.length]).toEqual([expect.any(String), expect.any(String), 1]);
    expect(security).toBeDefined();
    expect(security?.length).toBe(/^\/api\/(?:customer|operator)/.test(path) ? 1 : 0);
    for (const scheme of security ?? []) expect(document.components.securitySchemes).toMatchObject(anyOf(scheme));
  });

  test('has every answer that any route can give', () => {
    const expected = ['429', '500', '503'];
    if (path.startsWith('/api/operator')) expected.push('401');
    if (path.startsWith('/api/') && path.includes('{')) expected.push('400');
    if (/\{(?:order|item)ID\}/.test(path)) expected.push('404');
    if (requestBody !== undefined) expected.push('400', '413', '415');
    expect(Object.keys(responses)).toEqual(expect.arrayContaining(expected));
    for (const { description } of Object.values(responses)) expect(description).toMatch(/\w.*\.$/);
  });
});

describe.each(routes.filter(({ path }) => path.startsWith('/api/')))('$route', ({ operation }) => {
  const { requestBody, responses } = operation;

  test('has examples that its own schemas accept', () => {
    const done = Object.entries(responses).filter(([status]) => status.startsWith('2'));
    const media = [...done.map(([, response]) => response.content), requestBody?.content].filter(
      (content) => content !== undefined,
    );
    expect(media.length).toBeGreaterThan(0);
    for (const { 'application/json': json } of media) {
      expect(json?.example).toBeDefined();
      expect(problemsOf(json!)).toEqual([]);
    }
  });
});

function anyOf(scheme: object): object {
  return Object.fromEntries(Object.keys(scheme).map((name) => [name, expect.any(Object)]));
}

test('a body can be left out if nothing has to be said', () => {
  const optional = routes.filter(({ operation }) => operation.requestBody?.required === false);
  expect(optional.map(({ operation }) => operation.operationId).sort()).toEqual([
    'cancelOrder',
    'operatorCancelOrder',
    'releaseOrder',
  ]);
});
