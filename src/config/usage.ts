/** The text of `viaductd --help`, made from the table of settings. */
import { ALL_OPTIONS } from './options.js';

const PLAIN = [
  [
    '      --config-file string',
    'Configuration file (default /etc/viaduct/daemon.json, else /etc/docker/daemon.json)',
  ],
  ['  -h, --help', 'Print usage'],
  ['      --validate', 'Check the configuration and exit'],
  ['  -v, --version', 'Print version information and quit'],
] as const;

const rows = (): readonly (readonly [string, string])[] => {
  const settings = [...ALL_OPTIONS.values()]
    .filter(({ flag, stance }) => flag !== '' && stance.kind === 'obeyed')
    .map(({ flag, short, kind, help }) => {
      const letter = short === '' ? '      ' : `  -${short}, `;
      return [`${letter}--${flag}${kind.word === '' ? '' : ` ${kind.word}`}`, help] as const;
    });
  return [...settings, ...PLAIN].sort(([a], [b]) => a.slice(6).localeCompare(b.slice(6)));
};

const table = (): string => {
  const width = Math.max(...rows().map(([left]) => left.length)) + 3;
  return rows()
    .map(([left, right]) => `${left.padEnd(width)}${right}`)
    .join('\n');
};

/** Made when somebody asks: to sort it takes longer than all else of a daemon's arguments. */
export const usage = (): string => `
Usage:  viaductd [OPTIONS]

A container networking engine that speaks the Docker Engine API.

Options:
${table()}

Every other flag of dockerd is known too: accepted with a warning where nothing depends on it, refused where it would
change what you get. The same settings are read from daemon.json under dockerd's names.
`;
