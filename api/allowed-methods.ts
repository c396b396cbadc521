import type { FastifyInstance } from 'fastify';

/**
 * Collects the routes that are added from now on.
 *
 * @returns a function that returns the methods of a path, in alphabetical order; none for an unknown path
 */
export function watchAllowedMethods(app: FastifyInstance): (path: string) => string[] {
  const routes: { readonly segments: readonly string[]; readonly methods: readonly string[] }[] = [];
  app.addHook('onRoute', ({ url, method }) => {
    routes.push({ segments: segmentsOf(url), methods: [method].flat() });
  });
  return (path) => {
    const segments = segmentsOf(path);
    const methods = routes.filter((route) => isOfPattern(route.segments, segments)).flatMap((route) => route.methods);
    return [...new Set(methods)].sort();
  };
}

/** Our routes consist of plain segments, `:parameters` that match one segment, and `*` for the rest of the path. */
function isOfPattern(pattern: readonly string[], segments: readonly string[]): boolean {
  if (pattern.length > segments.length || (pattern.length < segments.length && pattern.at(-1) !== '*')) return false;
  return pattern.every((part, index) => {
    const segment = segments[index];
    return part === '*' || part === segment || (part.startsWith(':') && segment !== '');
  });
}

function segmentsOf(path: string): string[] {
  return path.replace(/\/$/, '').split('/');
}
