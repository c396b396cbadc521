/** A setting is missing or wrong. The message names the variable and says how to fix it. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}
