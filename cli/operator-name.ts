import { userInfo } from 'node:os';

/** Under whose name is written down what is done from the command line. */
export function operatorName(): string {
  return `command line: ${userInfo().username}`;
}
