import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { z } from 'zod';
import { PROJECT_FOLDER } from '../../platform/project.ts';
import { type Commit, nextVersion, withRelease } from './changelog.ts';

const IMAGE = 'order-backend';

try {
  release(process.argv[2]);
} catch (error) {
  process.stderr.write(`release: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

/**
 * Makes the files of a release: the version, the changelog and the golden histories. Commits, tags and publishes
 * nothing: it prints how, so that a person looks at the changes first.
 *
 * @param wanted the version; without it the one that the commits since the last release ask for
 */
function release(wanted: string | undefined): void {
  if (output('git', 'status', '--porcelain') !== '') throw new Error('commit or stash your changes first');
  const lastTag = output('git', 'tag', '--list', 'v*', '--sort=-version:refname').split('\n')[0] ?? '';
  const commits = commitsSince(lastTag);
  if (commits.length === 0) throw new Error(`nothing was committed since ${lastTag}`);
  const current = versionOfPackage();
  // The first release is what package.json says.
  const version = wanted ?? (lastTag === '' ? current : nextVersion(current, commits));
  if (!/^\d+\.\d+\.\d+$/.test(version)) throw new Error(`${version} is not a version of three numbers`);

  run('npm', 'version', version, '--no-git-tag-version', '--allow-same-version');
  const changelog = join(PROJECT_FOLDER, 'CHANGELOG.md');
  const today = new Date().toISOString().slice(0, 10);
  writeFileSync(changelog, withRelease(readFileSync(changelog, 'utf8'), version, today, commits));
  // What later versions have to replay: an order that starts today may end under the next version.
  run('npm', 'run', 'histories');

  process.stdout.write(`
${version} is ready. Look at it with git diff, then:
  git add --all && git commit --message "chore(release): ${version}" && git tag --annotate v${version} --message "${version}"
  git push --follow-tags
  docker build --tag ${IMAGE}:${version} .
Image tag: ${IMAGE}:${version}
`);
}

function commitsSince(tag: string): Commit[] {
  const range = tag === '' ? 'HEAD' : `${tag}..HEAD`;
  const log = output('git', 'log', '--no-merges', '--format=%H%n%B%x00', range);
  return log.split('\0').flatMap((entry) => {
    const [hash = '', ...message] = entry.trim().split('\n');
    return hash === '' ? [] : [{ hash, message: message.join('\n') }];
  });
}

function versionOfPackage(): string {
  const manifest: unknown = JSON.parse(readFileSync(join(PROJECT_FOLDER, 'package.json'), 'utf8'));
  return z.object({ version: z.string() }).parse(manifest).version;
}

function output(command: string, ...args: string[]): string {
  return execFileSync(command, args, { cwd: PROJECT_FOLDER, encoding: 'utf8' }).trim();
}

function run(command: string, ...args: string[]): void {
  execFileSync(command, args, { cwd: PROJECT_FOLDER, stdio: 'inherit' });
}
