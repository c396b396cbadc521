import type { Context } from '../context.ts';
import type { CommandResult } from '../run-command.ts';
export async function runDoctor(_context: Context, _options: { repair: boolean }): Promise<CommandResult> {
  return { data: [], text: '' };
}
