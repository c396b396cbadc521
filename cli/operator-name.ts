import { userInfo } from 'node:os';

/** The name under which changes from the command line are recorded. */
export function operatorName(): string {
  return `command line: ${userInfo().username}`;
}
