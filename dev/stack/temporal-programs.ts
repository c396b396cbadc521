import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { processEnvironment } from '../../platform/config.ts';
import { withLock } from './file-lock.ts';
import { cacheFolder } from './programs.ts';
import { TEMPORAL_MODULE_FOLDER } from './temporal-build.ts';

const run = promisify(execFile);

const SERVER = 'go.temporal.io/server';
const UI = 'github.com/temporalio/ui-server/v2';

/** What Temporal's images hold, by the program's name there. */
const PROGRAMS = {
  'temporal-server': `${SERVER}/cmd/server`,
  'temporal-sql-tool': `${SERVER}/cmd/tools/sql`,
  'ui-server': `${UI}/cmd/server`,
};

/**
 * Temporal's server, its SQL tool and its Web UI, as its images have them and of the versions that docker-compose.yml
 * names: built with Go from dev/stack/temporal, once, and kept in our cache. Development has no use for them; the
 * containers and the test of TLS have, as the development server can't do TLS.
 *
 * @returns the folder: `temporal-server`, `temporal-sql-tool`, `ui-server`, `schema/`, `ui-config/`
 * @throws if there is no Go, or the build fails
 */
export async function temporalPrograms(onBuild: () => void = () => undefined): Promise<string> {
  const version = /go\.temporal\.io\/server v(?<version>\S+)/.exec(
    readFileSync(join(TEMPORAL_MODULE_FOLDER, 'go.mod'), 'utf8'),
  )?.groups?.['version'];
  const parent = cacheFolder();
  const folder = join(parent, `temporal-server-${version}`);
  if (existsSync(folder)) return folder;
  mkdirSync(parent, { recursive: true });
  return withLock(`${folder}.lock`, onBuild, async () => {
    if (existsSync(folder)) return folder;
    onBuild();
    const work = mkdtempSync(`${folder}-`);
    try {
      for (const [name, path] of Object.entries(PROGRAMS)) {
        await go(['build', '-trimpath', '-ldflags', '-s -w', '-o', join(work, name), path]);
      }
      cpSync(join(await sourcesOf(SERVER), 'schema'), join(work, 'schema'), { recursive: true });
      cpSync(join(await sourcesOf(UI), 'config'), join(work, 'ui-config'), { recursive: true });
      // In one step: whoever sees the folder sees a whole one.
      renameSync(work, folder);
      return folder;
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  });
}

async function sourcesOf(module: string): Promise<string> {
  return (await go(['list', '-m', '-f', '{{.Dir}}', module])).trim();
}

async function go(args: readonly string[]): Promise<string> {
  const { stdout } = await run('go', [...args], {
    cwd: TEMPORAL_MODULE_FOLDER,
    env: { ...processEnvironment(), CGO_ENABLED: '0', GOWORK: 'off', GOFLAGS: '-mod=readonly' },
    maxBuffer: 64 * 1024 * 1024,
  });
  return stdout;
}
