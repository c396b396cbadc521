import type { SwaggerTransformObject } from '@fastify/swagger';
import { examples, parameterExamples } from './openapi-examples.ts';

type Json = Readonly<Record<string, unknown>>;
type Operation = {
  operationId?: string;
  security?: unknown;
  parameters?: { in: string; name: string; example?: unknown }[];
  requestBody?: { required?: boolean; content: Content };
  responses: Record<string, { description: string; headers?: object; content?: Content }>;
};
type Content = Record<string, { schema: Json; example?: unknown }>;

/** The reference to the one schema of all errors. */
const ERROR_REFERENCE = { $ref: '#/components/schemas/Error' };

/**
 * Completes the document that fastify and zod generate: optional bodies, examples, the headers of answers, the security
 * of routes that declare none, and one schema for all errors.
 */
export const completeDocument: SwaggerTransformObject = (input) => {
  if (!('openapiObject' in input)) return input.swaggerObject;
  const document = structuredClone(input.openapiObject);
  let errorSchema: Json | undefined;
  for (const operations of Object.values(document.paths ?? {})) {
    for (const operation of Object.values(operations ?? {}) as Operation[]) {
      operation.security ??= [];
      const example = examples[operation.operationId ?? ''];
      completeParameters(operation);
      completeBody(operation, example?.request);
      for (const [status, response] of Object.entries(operation.responses)) {
        if (response.description === 'Default Response') response.description = 'Done.';
        if (status === '429') response.headers = RETRY_AFTER;
        const json = response.content?.['application/json'];
        if (json === undefined) continue;
        if (Number(status) >= 400) {
          const { description: _, ...schema } = json.schema;
          errorSchema = schema;
          json.schema = ERROR_REFERENCE;
        } else if (example?.answer !== undefined) {
          json.example = envelopeOf(example.answer);
        }
      }
    }
  }
  document.components = { ...document.components, schemas: errorSchema === undefined ? {} : { Error: errorSchema } };
  return withoutNoise(document) as typeof document;
};

const RETRY_AFTER = {
  'Retry-After': { description: 'Seconds until the next request is accepted.', schema: { type: 'integer' } },
};

function envelopeOf(data: unknown) {
  return { data, errorCode: 0, message: 'success', traceID: '654f54b90d7ed003c4d05fad87e5a925' };
}

function completeParameters({ parameters = [] }: Operation): void {
  for (const parameter of parameters) {
    const example = parameterExamples[parameter.name];
    if (parameter.in === 'path' && example !== undefined) parameter.example = example;
  }
}

/** A nullable schema means that the body is optional, which OpenAPI expresses outside of the schema. */
function completeBody({ requestBody }: Operation, example: unknown): void {
  const json = requestBody?.content['application/json'];
  if (requestBody === undefined || json === undefined) return;
  const { anyOf = [] } = json.schema as { anyOf?: readonly Json[] };
  requestBody.required = !anyOf.some(({ type }) => type === 'null');
  if (example !== undefined) json.example = example;
}

/** Removes the bounds of all safe integers, which zod writes and which tell readers nothing. */
function withoutNoise(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNoise);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(
    ([key, bound]) =>
      !(key === 'minimum' && bound === Number.MIN_SAFE_INTEGER) &&
      !(key === 'maximum' && bound === Number.MAX_SAFE_INTEGER),
  );
  return Object.fromEntries(kept.map(([key, inner]) => [key, withoutNoise(inner)]));
}
