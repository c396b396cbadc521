import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { processEnvironment } from '../../platform/config.ts';
import { withLock } from './file-lock.ts';
import { cacheFolder, programOnPath } from './programs.ts';

const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome'];
/** On macOS browsers are installed as applications, which no PATH leads to. */
const APPLICATIONS = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];
const PACKAGE = '@sparticuz/chromium';
const OPTIONS = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const run = promisify(execFile);

/** What `chromium.launch` of playwright-core takes. */
type Chromium = {
  readonly executablePath: string;
  readonly args: string[];
  readonly env: Record<string, string>;
};

/** Whether {@link findChromium} will find a browser. The one from npm is built for Linux on x64 only. */
export function hasChromium(): boolean {
  return systemChromium() !== undefined || (process.platform === 'linux' && process.arch === 'x64');
}

/**
 * The Chromium that shows our pages, without a window: this machine's own, or the one that comes with the npm packages,
 * which is unpacked into our cache once. It asks nobody on the network for anything.
 *
 * @throws Error if there is neither, saying how to get one
 */
export async function findChromium(): Promise<Chromium> {
  // Chromium's own sandbox refuses to run as root.
  const args = [...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), ...OPTIONS];
  const env = definedEnvironment();
  const installed = systemChromium();
  if (installed !== undefined) return { executablePath: installed, args, env };
  if (!hasChromium()) {
    throw new Error(`There is no browser: none of ${PROGRAMS.join(', ')} is on the PATH. Install Chromium.`);
  }
  const folder = await unpackedChromium();
  return {
    executablePath: join(folder, 'chromium'),
    // Ubuntu and most containers allow no sandbox to a browser that isn't installed. It only ever sees our own pages.
    args: [...new Set(['--no-sandbox', ...args])],
    env: {
      ...env,
      LD_LIBRARY_PATH: join(folder, 'al2023', 'lib'),
      FONTCONFIG_FILE: join(folder, 'fonts.conf'),
    },
  };
}

function systemChromium(): string | undefined {
  return PROGRAMS.map(programOnPath).find(Boolean) ?? APPLICATIONS.find((path) => existsSync(path));
}

/** The package unpacks to fixed names in the folder for temporary files, so it gets a folder of its own for that. */
async function unpackedChromium(): Promise<string> {
  const parent = join(cacheFolder(), `chromium-${packageVersion()}`);
  const folder = join(parent, 'unpacked');
  if (existsSync(folder)) return folder;
  mkdirSync(parent, { recursive: true });
  return withLock(
    join(parent, 'unpacking.lock'),
    () => undefined,
    async () => {
      if (existsSync(folder)) return folder;
      const workFolder = mkdtempSync(join(parent, 'unpacking-'));
      try {
        const script = `await (await import(${JSON.stringify(PACKAGE)})).default.executablePath()`;
        await run(process.execPath, ['--input-type=module', '--eval', script], {
          cwd: import.meta.dirname,
          // As on AWS Lambda, which has none of the libraries that Chromium needs, it unpacks those too.
          env: { ...definedEnvironment(), TMPDIR: workFolder, AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs22.x' },
        });
        // The system's fonts, and the package's for a machine that has none.
        const folders = ['/usr/share/fonts', '/usr/local/share/fonts', join(folder, 'fonts')];
        const fonts = folders.map((path) => `<dir>${path}</dir>`).join('');
        writeFileSync(
          join(workFolder, 'fonts.conf'),
          `<fontconfig>${fonts}<cachedir>${join(folder, 'font-cache')}</cachedir></fontconfig>\n`,
        );
        renameSync(workFolder, folder);
        return folder;
      } finally {
        rmSync(workFolder, { recursive: true, force: true });
      }
    },
  );
}

function packageVersion(): string {
  const entry = createRequire(import.meta.url).resolve(PACKAGE);
  const manifest = readFileSync(join(dirname(entry), '..', '..', 'package.json'), 'utf8');
  return String((JSON.parse(manifest) as { version: unknown }).version);
}

function definedEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(processEnvironment()).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
