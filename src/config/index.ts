/**
 * From the command line and the environment to the daemon's configuration. The only effect is reading the configuration file.
 *
 * Which file: `--config-file`; else /etc/viaduct/daemon.json; else /etc/docker/daemon.json, because that is where people
 * (and the tutorials they follow) have written `dns`, `bip` and the like. What in dockerd's own file says where dockerd
 * itself lives (its directories, pid file and sockets) stays dockerd's: two engines in one data root would ruin both.
 */

import { messageOf, ViaductError } from '../errors.js';
import { textIfThere } from '../small-files.js';
import type { DaemonConfig } from './contract.js';
import { checkConflicts, parseFile } from './file.js';
import { type Flags, parseFlags } from './flags.js';
import { checkStances, configOf, type Environment } from './merge.js';
import { OPTIONS, type OptionName, type Settings } from './options.js';
import { checkTcp } from './tcp.js';
import { usage } from './usage.js';

export { reloadable } from './reload.js';

export const OWN_FILE = '/etc/viaduct/daemon.json';
export const DOCKER_FILE = '/etc/docker/daemon.json';

/** What the command line asks for. */
export type Invocation =
  /** print `text` and exit 0 */
  | { readonly kind: 'print'; readonly text: string }
  | {
      readonly kind: 'run';
      readonly config: DaemonConfig;
      /** one line each, for the log */
      readonly warnings: readonly string[];
    };

/** Text of a file; undefined: there is none. Other errors are thrown. */
export type ReadFile = (path: string) => string | undefined;

const DOCKERS_OWN: readonly OptionName[] = ['dataRoot', 'execRoot', 'pidFile', 'host'];

interface FromFile {
  readonly path: string;
  readonly settings: Settings;
  readonly warnings: readonly string[];
}

/** dockerd's file without what places dockerd itself. */
const borrowed = (settings: Settings): FromFile => {
  const dropped = DOCKERS_OWN.filter((name) => settings[name] !== undefined);
  const keys = dropped.map((name) => OPTIONS[name].key).join(', ');
  const left = dropped.length > 0 ? `, without what places dockerd itself (${keys})` : '';
  return {
    path: DOCKER_FILE,
    settings: { ...settings, ...Object.fromEntries(dropped.map((name) => [name, undefined])) },
    warnings: [`${OWN_FILE} does not exist: reading ${DOCKER_FILE}${left}`],
  };
};

const fileSettings = (flags: Flags, read: ReadFile): FromFile => {
  const named = flags.configFile !== '';
  const candidates = named ? [flags.configFile] : [OWN_FILE, DOCKER_FILE];
  for (const path of candidates) {
    try {
      const text = read(path);
      if (text === undefined && !named) continue;
      if (text === undefined) throw new ViaductError('invalid', 'no such file');
      const settings = parseFile(text);
      checkConflicts(flags.settings, path === DOCKER_FILE && !named ? borrowed(settings).settings : settings);
      return path === DOCKER_FILE && !named ? borrowed(settings) : { path, settings, warnings: [] };
    } catch (cause) {
      throw new ViaductError(
        'invalid',
        `unable to configure viaductd with file ${path}: ${messageOf(cause)}`,
        {
          cause,
        },
      );
    }
  }
  return { path: OWN_FILE, settings: {}, warnings: [] };
};

/** `argv` without node and script. Throws invalid with the one line to print before exiting non-zero. */
export const readInvocation = (
  argv: readonly string[],
  version: string,
  read: ReadFile = textIfThere,
  environment: Environment = process.env,
): Invocation => {
  const flags = parseFlags(argv);
  if (flags.help) return { kind: 'print', text: usage() };
  if (flags.version) return { kind: 'print', text: `Viaduct version ${version}\n` };
  const file = fileSettings(flags, read);
  const settings = { ...file.settings, ...flags.settings };
  const stances = checkStances(settings);
  const config = configOf(settings, file.path, environment);
  const warnings = [...file.warnings, ...stances, ...checkTcp(settings, config)];
  if (flags.validate) return { kind: 'print', text: 'configuration OK\n' };
  return { kind: 'run', config, warnings };
};
