import { execFile } from 'node:child_process';
import { cpSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';

const PROJECT = join(import.meta.dirname, '..', '..');

/** What the compiler leaves out: migrations, and what the pages load. */
const READ_AT_RUN_TIME = new Set(['.sql', '.css', '.js']);

/**
 * Compiles the product into a folder, with the files that it reads at run time. The workflow bundle is not among them.
 *
 * @param options for the compiler, besides those of tsconfig.build.json
 * @throws if the sources don't compile; the compiler's messages are in the error
 */
export async function compileProduct(folder: string, options: readonly string[] = []): Promise<void> {
  const tsc = join(PROJECT, 'node_modules', '.bin', 'tsc');
  await promisify(execFile)(tsc, ['-p', 'tsconfig.build.json', '--outDir', folder, ...options], { cwd: PROJECT }).catch(
    (error: Error & { readonly stdout?: string }) => {
      throw new Error(error.stdout === undefined || error.stdout === '' ? error.message : error.stdout);
    },
  );
  const { include: sources } = z
    .object({ include: z.array(z.string()) })
    .parse(JSON.parse(readFileSync(join(PROJECT, 'tsconfig.build.json'), 'utf8')));
  for (const source of sources) {
    for (const name of readdirSync(join(PROJECT, source), { recursive: true, encoding: 'utf8' })) {
      if (READ_AT_RUN_TIME.has(extname(name))) cpSync(join(PROJECT, source, name), join(folder, source, name));
    }
  }
}
