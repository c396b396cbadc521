import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { programOnPath } from '../dev/stack/programs.ts';

const PROJECT = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(PROJECT, path), 'utf8');

/** Grafana's own types, with the values of its enums allowed as the JSON has them. */
const TYPES = `
import type { Dashboard } from '@grafana/schema';
import type { Options as StatOptions } from '../../@grafana/schema/dist/types/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type { FieldConfig, Options as TimeSeriesOptions } from '../../@grafana/schema/dist/types/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';
type Plain<T> = T extends string ? \`\${T}\`
  : T extends (infer Item)[] ? Plain<Item>[]
  : T extends object ? { [Key in keyof T]: Plain<T[Key]> } : T;
type Some<T> = T extends unknown[] ? T : T extends object ? { [Key in keyof T]?: Some<T[Key]> } : T;
/** What Grafana's data source for Prometheus reads of a query; the package has no type for it. */
type Query = { refId: string; expr: string; legendFormat?: string; instant?: boolean; range?: boolean; format?: 'time_series' | 'table' | 'heatmap' };
`;

test('Grafana’s schema accepts the dashboard', () => {
  const problems = problemsOf(JSON.parse(read('deploy/grafana/dashboards/orders.json')));
  expect(problems).toBe('');
  expect(problemsOf({ title: 'x', schemaVersion: '39' }), 'a wrong one is refused').toContain(
    "Type 'string' is not assignable",
  );
});

test('the dashboard is held against the version of Grafana that docker-compose.yml runs', () => {
  const { services } = z
    .object({ services: z.object({ grafana: z.object({ image: z.string() }) }) })
    .parse(parse(read('docker-compose.yml'), { merge: true }));
  const { devDependencies } = z
    .object({ devDependencies: z.record(z.string(), z.string()) })
    .parse(JSON.parse(read('package.json')));
  expect(services.grafana.image.split('@')[0]).toBe(`grafana/grafana:${devDependencies['@grafana/schema']}`);
});

test.skipIf(programOnPath('promtool') === undefined)(
  'promtool accepts Prometheus’ settings and alerts (promtool)',
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'order-backend-prometheus-'));
    try {
      cpSync(join(PROJECT, 'deploy', 'prometheus'), folder, { recursive: true });
      const settings = join(folder, 'prometheus.yml');
      writeFileSync(settings, read('deploy/prometheus/prometheus.yml').replaceAll('/etc/prometheus', folder));
      const run = () => execFileSync('promtool', ['check', 'config', settings], { stdio: 'pipe', encoding: 'utf8' });
      expect(run()).toContain('SUCCESS');
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
);

/** What the compiler says of a dashboard that is written down as one. */
function problemsOf(dashboard: unknown): string {
  const cache = join(PROJECT, 'node_modules', '.cache');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'grafana-'));
  try {
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
    const file = join(folder, 'dashboard.ts');
    const { panels = [] } = z
      .object({ panels: z.array(z.looseObject({ type: z.string() })).optional() })
      .parse(dashboard);
    const values = panels.map((panel, index) => {
      const options = { stat: 'StatOptions', timeseries: 'TimeSeriesOptions' }[panel.type];
      if (options === undefined) return '';
      const parts = { options: panel['options'] ?? {}, targets: panel['targets'] ?? [] };
      const custom = z.object({ defaults: z.object({ custom: z.unknown() }) }).safeParse(panel['fieldConfig']).data
        ?.defaults.custom;
      return [
        `export const panel${index}: { options: Some<Plain<${options}>>; targets: Query[] } = ${JSON.stringify(parts)};`,
        `export const custom${index}: Some<Plain<FieldConfig>> = ${JSON.stringify(custom ?? {})};`,
      ].join('\n');
    });
    const text = `${TYPES}export const dashboard: Plain<Dashboard> = ${JSON.stringify(dashboard)};\n${values.join('\n')}`;
    writeFileSync(file, text);
    const flags = ['--noEmit', '--strict', '--skipLibCheck', '--target', 'es2023', '--types', ''];
    const modules = ['--module', 'preserve', '--moduleResolution', 'bundler', '--ignoreConfig'];
    execFileSync(join(PROJECT, 'node_modules', '.bin', 'tsc'), [...flags, ...modules, file], { stdio: 'pipe' });
    return '';
  } catch (error) {
    return z
      .object({ stdout: z.instanceof(Buffer) })
      .parse(error)
      .stdout.toString('utf8');
  } finally {
    rmSync(folder, { recursive: true });
  }
}
