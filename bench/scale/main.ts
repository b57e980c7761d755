/**
 * `npm run bench:scale`: what grows and what does not. Two engines of Viaduct, one filled step by step and one empty, the
 * same operation on both in turn. Invariant: whatever was started or made is taken away again, also on failure and on Ctrl-C.
 */
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { ROOT } from '../../test/support/daemon.js';
import { loadImages, startEngine } from '../engine.js';
import { build, dockerClient, missing, readMachine, testImages } from '../machine.js';
import { isInterrupted, undoAll, undoOnSignals } from '../undo.js';
import { bursts } from './figures/bursts.js';
import { byHand } from './figures/by-hand.js';
import { containers } from './figures/containers.js';
import { mixed } from './figures/mixed.js';
import { networks } from './figures/networks.js';
import { ports } from './figures/ports.js';
import type { Figure } from './pair.js';
import { markdown, type ScaleReport, writeReport } from './report.js';
import { Growth } from './series.js';

const FIGURES: readonly Figure[] = [bursts, mixed, ports, networks, containers, byHand];

interface Options {
  readonly quick: boolean;
  readonly only: readonly string[];
  readonly out: string;
  readonly profile?: string;
}

const say = (text: string): void => void process.stderr.write(`bench: ${text}\n`);

const readOptions = (): Options =>
  new Command('npm run bench:scale --')
    .description(
      `Measures what grows with the number of networks, containers and clients, and writes bench/results/scale.md, scale.svg and scale.json.\n\nFigures:\n${FIGURES.map((f) => `  ${f.name.padEnd(12)} ${f.about}`).join('\n')}`,
    )
    .option('--quick', 'small numbers, a few minutes', false)
    .addOption(
      new Option('--only <names...>', 'these figures only; does not replace bench/results/scale.*')
        .choices(FIGURES.map((f) => f.name))
        .default([]),
    )
    .option('--out <directory>', 'where the results go', '')
    .option('--profile <directory>', 'write CPU profiles of the daemons there (slows them)')
    .addHelpText(
      'after',
      '\nVIADUCT_DIST=<directory below the project> measures that build instead of a fresh one.',
    )
    .parse()
    .opts<Options>();

/** New engines for each figure: none starts with another's heap. */
const measureFigure = async (
  figure: Figure,
  options: Options,
  client: string,
  record: Growth,
): Promise<string> => {
  const start = () => startEngine('viaduct', options.profile ? { profile: options.profile } : {});
  const [grown, empty] = [await start(), await start()];
  try {
    for (const engine of [grown, empty]) await loadImages(engine, client, await testImages());
    await figure.measure({
      grown,
      empty,
      client,
      quick: options.quick,
      record,
      say: (text) => say(`  ${text}`),
    });
    return grown.version;
  } finally {
    for (const engine of [grown, empty]) await engine.stop();
  }
};

const measure = async (options: Options, client: string): Promise<ScaleReport> => {
  const machine = await readMachine(client);
  say('building Viaduct');
  await build();
  const record = new Growth();
  const failures: string[] = [];
  let version = '?';
  for (const figure of FIGURES.filter(
    ({ name }) => options.only.length === 0 || options.only.includes(name),
  )) {
    say(`${figure.name}: ${figure.about}`);
    try {
      version = await measureFigure(figure, options, client, record);
    } catch (error) {
      if (isInterrupted()) throw error;
      const why = error instanceof Error ? error.message : String(error);
      say(`${figure.name} failed: ${why}`);
      failures.push(`${figure.name}: ${why.split('\n')[0]}`);
    }
  }
  return { machine, version, quick: options.quick, series: record.series(), failures };
};

const outputDirectory = ({ out, only, profile }: Options): string | undefined => {
  if (out !== '') return out;
  return only.length === 0 && profile === undefined ? join(ROOT, 'bench/results') : undefined;
};

const main = async (): Promise<void> => {
  const options = readOptions();
  const client = dockerClient();
  const absent =
    process.getuid?.() !== 0
      ? 'bench: needs root, for network namespaces: sudo npm run bench:scale'
      : (missing([]) ??
        (client ? undefined : 'bench: no docker client: apt-get install docker.io (or docker-cli)'));
  if (absent !== undefined || client === undefined) {
    process.stderr.write(`${absent}\n`);
    process.exit(1);
  }
  undoOnSignals();
  try {
    const report = await measure(options, client);
    const directory = outputDirectory(options);
    if (directory) writeReport(directory, report);
    process.stdout.write(`\n${markdown(report)}\n`);
    if (report.failures.length > 0) process.exitCode = 1;
  } catch (error) {
    if (!isInterrupted())
      process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  } finally {
    say('taking everything away');
    await undoAll();
  }
};

await main();
