/**
 * `npm run bench`: Viaduct and Debian's dockerd side by side, the figures of issue 2 measured in turn, a table of medians
 * and ratios. Invariant: whatever was started or made is taken away again, also on failure and on Ctrl-C.
 */
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { ROOT } from '../test/support/daemon.js';
import type { Bench, Figure } from './bench.js';
import { type Engine, type EngineName, type EngineOptions, loadImages, startEngine } from './engine.js';
import { DRIVER_NAMES } from './figures/drivers.js';
import { FIGURES } from './figures/index.js';
import { build, DNSPERF, DOCKERD, dockerClient, IPERF, missing, readMachine, testImages } from './machine.js';
import { markdown, type Report, writeReport } from './report.js';
import type { Row } from './row.js';
import { isInterrupted, undoAll, undoOnSignals } from './undo.js';

interface Options {
  readonly quick: boolean;
  readonly only: readonly string[];
  readonly drivers: readonly string[];
  readonly engine?: EngineName;
  readonly out: string;
  readonly profile?: string;
}

const say = (text: string): void => void process.stderr.write(`bench: ${text}\n`);

/** `ipvlan,ovs` */
const driverList = (text: string): readonly string[] => {
  const names = text.split(',');
  const unknown = names.find((name) => !DRIVER_NAMES.includes(name));
  if (unknown !== undefined)
    throw new InvalidArgumentError(`${unknown} is none of ${DRIVER_NAMES.join(', ')}.`);
  return names;
};

const readOptions = (): Options =>
  new Command('npm run bench --')
    .description(
      `Measures Viaduct beside Debian's dockerd and writes bench/results/latest.md and latest.json.\n\nFigures:\n${FIGURES.map((f) => `  ${f.name.padEnd(12)} ${f.about}`).join('\n')}`,
    )
    .option('--quick', 'few rounds, a few minutes', false)
    .addOption(
      new Option('--only <names...>', 'these figures only; does not replace bench/results/latest.*')
        .choices(FIGURES.map((f) => f.name))
        .default([]),
    )
    .addOption(
      new Option('--drivers <names>', `of the figure drivers, these only: ${DRIVER_NAMES.join(',')}`)
        .argParser(driverList)
        .default([], 'all that the kernel has'),
    )
    .addOption(new Option('--engine <name>', 'one engine only').choices(['viaduct', 'dockerd']))
    .option('--out <directory>', 'where the results go', '')
    .option('--profile <directory>', "write a CPU profile of Viaduct's daemon there (slows it)")
    .addHelpText(
      'after',
      '\nVIADUCT_DIST=<directory below the project> measures that build instead of a fresh one.\n\nnpm run bench:vm -- [--drivers ipvlan,ovs] measures the drivers on Debian’s own kernel in QEMU, Viaduct alone,\nand writes bench/results/drivers-vm.md and drivers-vm.json; npm run bench:vm -- swarm the figures of several hosts,\nwith Docker’s own swarm beside (swarm-vm.md, swarm-vm.json).',
    )
    .parse()
    .opts<Options>();

const refuse = (message: string): never => {
  process.stderr.write(`${message}\n`);
  process.exit(1);
};

const chosen = ({ only }: Options): readonly Figure[] =>
  FIGURES.filter(({ name }) => only.length === 0 || only.includes(name));

const needed = (options: Options, figures: readonly Figure[]) => [
  ...(options.engine === 'viaduct' ? [] : [DOCKERD]),
  ...(figures.some(({ name }) => name === 'names') ? [DNSPERF] : []),
  ...(figures.some(({ name }) => name === 'drivers' || name === 'fastpath' || name === 'mesh')
    ? [IPERF]
    : []),
];

/** A figure that fails leaves the others their turn; its engines are cleared for them. */
const measureAll = async (
  bench: Bench,
  figures: readonly Figure[],
  failures: string[],
): Promise<readonly Row[]> => {
  const rows: Row[] = [];
  for (const figure of figures) {
    say(`${figure.name}: ${figure.about}`);
    try {
      rows.push(...(await figure.measure(bench)));
    } catch (error) {
      if (isInterrupted()) throw error;
      const why = error instanceof Error ? error.message : String(error);
      say(`${figure.name} failed: ${why}`);
      failures.push(`${figure.name}: ${why.split('\n')[0]}`);
      for (const engine of bench.engines) await engine.clear();
    }
  }
  return rows;
};

const outputDirectory = ({ out, only, drivers, engine, profile }: Options): string | undefined => {
  if (out !== '') return out;
  const whole = only.length === 0 && drivers.length === 0 && engine === undefined && profile === undefined;
  return whole ? join(ROOT, 'bench/results') : undefined;
};

const measure = async (options: Options, figures: readonly Figure[], client: string): Promise<Report> => {
  const machine = await readMachine(client);
  say('building Viaduct and the test images');
  await build();
  const images = await testImages();
  const names: readonly EngineName[] = options.engine ? [options.engine] : ['viaduct', 'dockerd'];
  const versions: Record<string, string> = {};
  const start = async (name: EngineName, on?: EngineOptions['on']): Promise<Engine> => {
    const { profile } = options;
    const engine = await startEngine(name, { ...(profile ? { profile } : {}), ...(on ? { on } : {}) });
    versions[name] = engine.version;
    await loadImages(engine, client, images);
    return engine;
  };
  const engines: Engine[] = [];
  for (const name of figures.every(({ hosts }) => hosts === 'own') ? [] : names) {
    say(`starting ${name}`);
    engines.push(await start(name));
  }
  const absent: string[] = [];
  const bench: Bench = {
    engines,
    names,
    start,
    quick: options.quick,
    emulated: machine.emulated,
    drivers: options.drivers,
    client,
    rounds: (full, quick) => (options.quick ? quick : full),
    say: (text) => say(`  ${text}`),
    absent: (why) => void absent.push(why),
  };
  const failures: string[] = [];
  const rows = await measureAll(bench, figures, failures);
  return {
    machine,
    versions,
    quick: options.quick,
    figures: figures.map(({ name }) => name),
    rows,
    failures,
    absent,
  };
};

const main = async (): Promise<void> => {
  const options = readOptions();
  if (process.getuid?.() !== 0) refuse('bench: needs root, for network namespaces: sudo npm run bench');
  const figures = chosen(options);
  const absent = missing(needed(options, figures));
  if (absent) refuse(absent);
  const client =
    dockerClient() ?? refuse('bench: no docker client: apt-get install docker.io (or docker-cli)');
  undoOnSignals();
  try {
    const report = await measure(options, figures, client);
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
