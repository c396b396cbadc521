/** A commit as `git log` has it. */
export type Commit = { readonly hash: string; readonly message: string };

type Change = { readonly type: string; readonly text: string; readonly breaking: boolean };

/** What users may notice; the other types (docs, test, refactor, ci …) stay in the log. */
const SECTIONS = [
  { title: 'Breaking', has: ({ breaking }: Change) => breaking },
  { title: 'Features', has: ({ type, breaking }: Change) => type === 'feat' && !breaking },
  { title: 'Fixes', has: ({ type, breaking }: Change) => type === 'fix' && !breaking },
  { title: 'Performance', has: ({ type, breaking }: Change) => type === 'perf' && !breaking },
];

const HEADER = /^(?<type>[a-z]+)(?:\((?<scope>[^)]+)\))?(?<bang>!)?: (?<subject>.+)$/;

function changeOf({ hash, message }: Commit): Change[] {
  const { type = '', scope, bang, subject } = HEADER.exec(message.split('\n')[0] ?? '')?.groups ?? {};
  if (subject === undefined) return [];
  const breaking = bang !== undefined || /^BREAKING[ -]CHANGE: /m.test(message);
  const place = scope === undefined ? '' : `**${scope}**: `;
  return [{ type, text: `${place}${subject} (${hash.slice(0, 7)})`, breaking }];
}

/**
 * The version after these commits, by Semantic Versioning. Before 1.0 a breaking change raises the middle number.
 *
 * @throws Error if the current version is not of three numbers
 */
export function nextVersion(current: string, commits: readonly Commit[]): string {
  const [major, minor, patch] = current.split('.').map(Number);
  if (major === undefined || minor === undefined || patch === undefined || Number.isNaN(major + minor + patch)) {
    throw new Error(`${current} is not a version of three numbers`);
  }
  const changes = commits.flatMap(changeOf);
  if (changes.some(({ breaking }) => breaking) && major > 0) return `${major + 1}.0.0`;
  if (changes.some(({ type, breaking }) => breaking || type === 'feat')) return `${major}.${minor + 1}.0`;
  return `${major}.${minor}.${patch + 1}`;
}

/**
 * Puts what stands under "Unreleased", and the commits that users may notice, under a heading for the version.
 *
 * @param date as YYYY-MM-DD
 * @throws Error if the changelog has no such heading
 */
export function withRelease(changelog: string, version: string, date: string, commits: readonly Commit[]): string {
  const heading = '## Unreleased\n';
  const [before, ...rest] = changelog.split(heading);
  if (before === undefined || rest.length !== 1) throw new Error('CHANGELOG.md needs one heading "## Unreleased"');
  const [unreleased = '', ...older] = (rest[0] ?? '').split(/^(?=## )/m);
  const changes = commits.flatMap(changeOf);
  const sections = SECTIONS.map(({ title, has }) => ({ title, found: changes.filter(has) }))
    .filter(({ found }) => found.length > 0)
    .map(({ title, found }) => `### ${title}\n${found.map(({ text }) => `- ${text}`).join('\n')}`);
  const release = [`## ${version} (${date})`, unreleased.trim(), ...sections]
    .filter((part) => part !== '')
    .join('\n\n');
  return `${before}${heading}\n${[release, ...older.map((part) => part.trim())].join('\n\n')}\n`;
}
