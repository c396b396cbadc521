import { describe, expect, test } from 'vitest';
import { nextVersion, withRelease } from './changelog.ts';

const commit = (message: string) => ({ hash: '0123456789abcdef', message });
const feature = commit('feat(webhook): take events of Klarna');
const fix = commit('fix: refund once\n\nIt was twice.');
const breaking = commit('feat(api)!: answer 409');
const footer = commit('fix(api): answer 410\n\nBREAKING CHANGE: it was 404');
const quiet = [commit('docs: say how'), commit('Merge branch x'), commit('chore(deps): raise pg')];

describe('the next version', () => {
  test.each([
    { current: '1.2.3', what: 'nothing that users notice', commits: quiet, expected: '1.2.4' },
    { current: '1.2.3', what: 'a fix', commits: [fix], expected: '1.2.4' },
    { current: '1.2.3', what: 'a fix and a feature', commits: [fix, feature], expected: '1.3.0' },
    { current: '1.2.3', what: 'a breaking change', commits: [breaking, fix], expected: '2.0.0' },
    { current: '1.2.3', what: 'a breaking change by its footer', commits: [footer], expected: '2.0.0' },
    { current: '0.2.3', what: 'a breaking change', commits: [breaking], expected: '0.3.0' },
    { current: '0.2.3', what: 'a breaking change by its footer', commits: [footer], expected: '0.3.0' },
  ])('after $current and $what is $expected', ({ current, commits, expected }) => {
    expect(nextVersion(current, commits)).toBe(expected);
  });

  test('is refused after something that is no version', () => {
    expect(() => nextVersion('next', [])).toThrow('next is not a version of three numbers');
  });
});

describe('the changelog', () => {
  const before =
    '# Changelog\n\nIntro.\n\n## Unreleased\n\nOrders can be gifts.\n\n## 0.1.0 (2026-01-01)\n\nThe first.\n';

  test('gets the unreleased words and the commits that users notice under the version', () => {
    expect(withRelease(before, '0.2.0', '2026-11-26', [...quiet, fix, feature, breaking])).toBe(
      `# Changelog

Intro.

## Unreleased

## 0.2.0 (2026-11-26)

Orders can be gifts.

### Breaking
- **api**: answer 409 (0123456)

### Features
- **webhook**: take events of Klarna (0123456)

### Fixes
- refund once (0123456)

## 0.1.0 (2026-01-01)

The first.
`,
    );
  });

  test('can be released again and again', () => {
    const once = withRelease(before, '0.2.0', '2026-11-26', [fix]);
    const twice = withRelease(once, '0.2.1', '2026-11-27', []);
    expect([...twice.matchAll(/^## (.+)$/gm)].map(([, title]) => title)).toEqual([
      'Unreleased',
      '0.2.1 (2026-11-27)',
      '0.2.0 (2026-11-26)',
      '0.1.0 (2026-01-01)',
    ]);
  });

  test('is refused without its heading', () => {
    expect(() => withRelease('# Changelog\n', '1.0.0', '2026-11-26', [])).toThrow('"## Unreleased"');
  });
});
