import { z } from 'zod';
import { environmentSchema } from '../../platform/environment.ts';

/** A setting as its JSON schema tells it, with its default. */
type Setting = {
  readonly name: string;
  readonly description: string;
  readonly default: string;
  readonly enum?: readonly string[];
  readonly const?: string;
  readonly type?: string;
  readonly format?: string;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
};

type Section = { readonly title: string; readonly intro?: string; readonly matches: RegExp };

/** A setting belongs to the first section that its name matches; the last one takes what is left. */
const SECTIONS: readonly Section[] = [
  {
    title: 'The embedded stack of npm start',
    intro: 'Only `npm start` and `npm run reset` read these.',
    matches: /^(STATE_DIR|POSTGRES_PORT|TEMPORAL_PORT|TEMPORAL_UI_PORT|TEMPORAL_CLI_PATH|ZIPKIN_PORT)$/,
  },
  {
    title: 'Stripe',
    intro: 'Set `STRIPE_KEY` and `STRIPE_ENDPOINT_SECRET` for the real Stripe, or neither for the sandbox.',
    matches: /^STRIPE_(?!SANDBOX_)/,
  },
  { title: 'The Stripe sandbox', matches: /^STRIPE_SANDBOX_/ },
  { title: 'PostgreSQL', matches: /^DATABASE_/ },
  {
    title: 'Temporal',
    intro:
      'All further variables of [Temporal’s environment configuration](https://docs.temporal.io/develop/environment-configuration), such as `TEMPORAL_TLS_CLIENT_CERT_PATH`, hold too.',
    matches: /^(TEMPORAL_|TASK_QUEUE_)/,
  },
  {
    title: 'Sign-in and links',
    intro:
      'All of it is off by default. [Deployment](deployment.md#who-may-call-what) tells how the settings go together.',
    matches: /^(AUTH_|OPERATOR_TOKEN$|ORDER_(LINK|ID)_)/,
  },
  {
    title: 'Limits',
    intro: 'Limits of orders hold across all processes, limits of requests for each process.',
    matches: /^(CUSTOMER|ADDRESS)_MAX_|_REQUESTS_PER_MINUTE$/,
  },
  { title: 'Traces', matches: /^(ZIPKIN_|OTEL_)/ },
  { title: 'Orders, addresses and processes', matches: /(?:)/ },
];

/** The text of docs/configuration.md. */
export function configurationDocument(): string {
  const sections = bySection().map(({ section, settings }) => {
    const rows = settings.map(
      (setting) => `| \`${setting.name}\` | ${defaultOf(setting)} | ${valuesOf(setting)} | ${setting.description} |`,
    );
    const intro = section.intro === undefined ? '' : `${section.intro}\n\n`;
    return `## ${section.title}\n\n${intro}| variable | default | values | what it is for |\n|---|---|---|---|\n${rows.join('\n')}\n`;
  });
  return `<!-- Made from platform/environment.ts by \`npm run docs:configuration\`. Don't edit it by hand. -->

# Configuration

Every setting is an environment variable. \`npm start\`, \`npm run reset\` and \`npm run cli\` also read them from a file \`.env\` in the
project folder; the environment takes precedence over it. An empty value counts as not set. A
process that finds a wrong value does not start, and names the variable and the fix. No setting is needed for \`npm start\`.

${sections.join('\n')}`;
}

/** The text of .env.example: every setting with its default, commented out. */
export function envExample(): string {
  const sections = bySection().map(({ section, settings }) => {
    const entries = settings.map((setting) => {
      return `${wrap(setting.description)}\n#${setting.name}=${setting.default}\n`;
    });
    return `# --- ${section.title} ---\n\n${entries.join('\n')}`;
  });
  return `# Copy it to .env and take the # away from what you set. Nothing has to be set for \`npm start\`.
# Made from platform/environment.ts by \`npm run docs:configuration\`.

${sections.join('\n')}`;
}

function bySection(): { section: Section; settings: Setting[] }[] {
  const { properties } = z.toJSONSchema(environmentSchema, { io: 'input' });
  // The JSON schema leaves the defaults of transformed values out; an empty environment has them all.
  const defaults = new Map(Object.entries(environmentSchema.parse({})));
  const all = Object.entries(properties ?? {}).map(([name, schema]) => ({
    ...(schema as Omit<Setting, 'name' | 'default'>),
    name,
    default: String(defaults.get(name) ?? ''),
  }));
  const groups = SECTIONS.map((section) => ({
    section,
    settings: all.filter(({ name }) => SECTIONS.find(({ matches }) => matches.test(name)) === section),
  }));
  // What is set first comes first; the embedded stack's own ports are for few.
  return [...groups.slice(1), ...groups.slice(0, 1)];
}

function defaultOf(setting: Setting): string {
  return setting.default === '' ? '–' : `\`${setting.default}\``;
}

function valuesOf(setting: Setting): string {
  const choices = setting.enum ?? (setting.const === undefined ? undefined : [setting.const]);
  if (choices !== undefined) return choices.map((choice) => `\`${choice}\``).join(', ');
  if (setting.type === 'integer') {
    return setting.maximum === Number.MAX_SAFE_INTEGER
      ? `${setting.minimum} or more`
      : `${setting.minimum} to ${setting.maximum}`;
  }
  if (setting.type === 'number') return `more than ${setting.exclusiveMinimum}, up to ${setting.maximum}`;
  return setting.format === 'uri' ? 'URL' : 'text';
}

function wrap(text: string, width = 100): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line !== '' && line.length + word.length + 1 > width) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines.map((line) => `# ${line}`).join('\n');
}
