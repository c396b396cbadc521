import process from 'node:process';
import { ConfigError } from '../../platform/config.ts';
import { systemDataFolder } from './postgres-place.ts';
import { loadStackSettings } from './settings.ts';
import { loadProjectEnvFile } from '../../platform/project.ts';
import { StackError } from './stack-error.ts';
import { removeStateFolder } from './state-folder.ts';
import { createTerminal } from './terminal.ts';

const terminal = createTerminal(process.stdout);
try {
  loadProjectEnvFile();
  const { stateDir } = loadStackSettings();
  const removed = await removeStateFolder(stateDir, [systemDataFolder(stateDir)]);
  terminal.line(removed ? `Removed ${stateDir}: the next start begins empty.` : `There is no state in ${stateDir}.`);
} catch (error) {
  if (!(error instanceof StackError || error instanceof ConfigError)) throw error;
  terminal.fail(error.message);
  process.exitCode = 1;
}
