/** The configuration of a command: profile, file, environment and flags, all problems reported at once. */
import { readFileSync } from 'node:fs';
import { type Config, loadConfig } from '../common/config.ts';
import { NodeError, errorText } from '../common/errors.ts';
import { type Logger, createLogger } from '../common/logger.ts';
import { PROFILES, type ProfileName } from './profiles.ts';

export interface GlobalOptions {
  readonly profile?: string;
  readonly config?: string;
  /** Option names of docs/config.md as the command line gave them. */
  readonly flags: Readonly<Record<string, unknown>>;
}

export interface Configured {
  readonly config: Config;
  readonly warnings: readonly string[];
  readonly profile: ProfileName | undefined;
}

function isProfile(name: string): name is ProfileName {
  return Object.hasOwn(PROFILES, name);
}

/** @throws ConfigError with every problem; NodeError PROFILE_UNKNOWN, CONFIG_FILE_UNREADABLE */
export function configure({ profile, config: file, flags }: GlobalOptions): Configured {
  if (profile !== undefined && !isProfile(profile)) {
    throw new NodeError('fatal', `there is no profile ${profile}: choose one of ${Object.keys(PROFILES).join(', ')}`, {
      code: 'PROFILE_UNKNOWN',
    });
  }
  const { config, warnings } = loadConfig({
    profile: profile === undefined ? {} : PROFILES[profile],
    env: process.env,
    flags,
    file: file === undefined ? undefined : { path: file, text: readConfigFile(file) },
  });
  return { config, warnings, profile };
}

export function loggerOf(config: Config, context: object = {}): Logger {
  return createLogger({ format: config.logFormat, useColor: config.logUseColor, filter: config.logLevel, context });
}

function readConfigFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new NodeError(
      'fatal',
      `the configuration file ${path} cannot be read: ${errorText(error)}`,
      { code: 'CONFIG_FILE_UNREADABLE', path },
      { cause: error },
    );
  }
}
