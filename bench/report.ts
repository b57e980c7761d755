/** The table as Markdown (also what the terminal shows) and everything measured as JSON. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Machine } from './machine.js';
import { isMet, isMetAtPace, pacedTarget, percentOfPlain, type Row, ratio, targetText } from './row.js';
import { median, quantile } from './statistics.js';

export interface Report {
  readonly machine: Machine;
  readonly versions: Readonly<Record<string, string>>;
  readonly quick: boolean;
  readonly figures: readonly string[];
  readonly rows: readonly Row[];
  /** figures that could not be measured, and why */
  readonly failures: readonly string[];
  /** what this machine has not, and was not measured for that */
  readonly absent: readonly string[];
}

export const number = (value: number): string => {
  const size = Math.abs(value);
  const digits = size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : 2;
  const text = value.toFixed(digits).replace(/^-(0(\.0+)?)$/, '$1');
  return size >= 10_000 ? text.replace(/\B(?=(\d{3})+$)/g, ',') : text;
};

const value = (sample: readonly number[], unit: string): string => {
  if (sample.length === 0) return '–';
  const middle = `${number(median(sample))}${unit === 'processes' ? '' : ` ${unit}`}`;
  if (sample.length < 3) return middle;
  return `${middle} (${number(quantile(sample, 0.25))}–${number(quantile(sample, 0.75))})`;
};

const verdict = (met: boolean | undefined): string => (met === undefined ? '' : met ? 'yes' : '**no**');

const pace = (row: Row): string => {
  const paced = pacedTarget(row);
  return paced === undefined ? '' : `≤ ${number(paced)} ${row.unit}`;
};

const rounds = ({ samples: { viaduct, dockerd } }: Row): string => `${viaduct.length}/${dockerd.length}`;

const times = (row: Row): string => {
  const factor = ratio(row);
  return factor === undefined ? '–' : `${number(factor)} ×`;
};

export const table = (header: readonly string[], lines: readonly (readonly string[])[]): string => {
  const width = header.map((h, i) => Math.max(h.length, ...lines.map((line) => (line[i] ?? '').length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(width[i] ?? 0)).join(' | ')} |`;
  return [line(header), `|${width.map((w) => '-'.repeat(w + 2)).join('|')}|`, ...lines.map(line)].join('\n');
};

/** Each note once, in order; rows name theirs by its number. */
const notesOf = (rows: readonly Row[]): readonly string[] => [
  ...new Set(rows.flatMap(({ note }) => note ?? [])),
];

const titleOf = ({ title, note }: Row, notes: readonly string[]): string =>
  note === undefined ? title : `${title} [${notes.indexOf(note) + 1}]`;

const PLAIN = `## Beside the plain kernel devices

The same network made by hand with \`ip\` (\`ovs-vsctl\`) in namespaces without Viaduct, where nothing else is said without rules and without address translation, in turn with Viaduct's. br_netfilter is off on all machines alike, where nothing else is said. “Of plain” is the median of the rounds' own ratios.`;

const plainTable = (rows: readonly Row[], notes: readonly string[]): readonly string[] => {
  if (rows.length === 0) return [];
  const header = ['figure', 'Viaduct', 'plain', 'of plain', 'target', 'met', 'dockerd', 'rounds'];
  const lines = rows.map((row) => [
    titleOf(row, notes),
    value(row.samples.viaduct, row.unit),
    value(row.plain ?? [], row.unit),
    value(percentOfPlain(row), '%'),
    targetText(row),
    verdict(isMet(row)),
    value(row.samples.dockerd, row.unit),
    rounds(row),
  ]);
  return ['', PLAIN, '', table(header, lines)];
};

const mainTable = (rows: readonly Row[], notes: readonly string[]): readonly string[] => {
  if (rows.length === 0) return [];
  const header = ['figure', 'Viaduct', 'dockerd', 'better', 'target', 'met', 'at this pace', 'met', 'rounds'];
  const lines = rows.map((row) => [
    titleOf(row, notes),
    value(row.samples.viaduct, row.unit),
    value(row.samples.dockerd, row.unit),
    times(row),
    targetText(row),
    verdict(isMet(row)),
    pace(row),
    verdict(isMetAtPace(row)),
    rounds(row),
  ]);
  return ['', table(header, lines)];
};

const EMULATED =
  '**An emulated machine** (QEMU without KVM). Its one processor is software, and its clock counts the instructions carried out, 8 ns each: what else the real machine does is not in the figures, nor are caches, branch prediction and a second processor. Absolute figures say nothing; both ends and everything between them share the processor, so “of plain” compares how many instructions a packet takes.';

const IN_TURN =
  "Both ran in turn in one run, each in namespaces of its own. Medians, quartiles in brackets; “better” is how many times better Viaduct's median is. “At this pace” is the target made as much longer as dockerd takes longer here than on the machine for which it was set (times differ by twice and more between machines of one kind).";
const ALONE = 'Viaduct alone. Medians, quartiles in brackets.';

/** When and where something was measured. */
export const place = (machine: Machine): string =>
  `${machine.date}: ${machine.distribution}, Linux ${machine.kernel}, ${machine.cores} ${machine.cores === 1 ? 'core' : 'cores'} (${machine.processor}), ${machine.memoryGb} GB, load ${machine.load} at the start, fdatasync ${number(machine.syncMs)} ms; node ${machine.node}`;

/** What was measured, where, and how to read it. */
const head = ({ machine, versions, quick }: Report): readonly string[] => {
  const beside = versions.dockerd !== undefined;
  const versionsText = `Viaduct ${versions.viaduct ?? '–'} (${machine.commit}), dockerd ${versions.dockerd ?? '–'}, ${machine.client}.`;
  return [
    `# Viaduct${beside ? ' beside dockerd' : ''}`,
    '',
    `${place(machine)}; ${versionsText}`,
    ...(machine.emulated ? ['', EMULATED] : []),
    '',
    `${beside ? IN_TURN : ALONE}${quick ? ' **A quick run: few rounds.**' : ''}`,
  ];
};

export const markdown = (report: Report): string => {
  const { rows } = report;
  const unmeasured = [...report.failures, ...report.absent];
  const judged = rows.filter((row) => isMet(row) !== undefined);
  const missed = judged.filter((row) => isMet(row) === false);
  const notes = notesOf(rows);
  return [
    ...head(report),
    ...mainTable(
      rows.filter(({ plain }) => plain === undefined),
      notes,
    ),
    ...plainTable(
      rows.filter(({ plain }) => plain !== undefined),
      notes,
    ),
    '',
    `${judged.length - missed.length} of ${judged.length} targets met${missed.length > 0 ? `; missed: ${missed.map((row) => row.title).join('; ')}` : ''}.`,
    ...(notes.length > 0 ? ['', ...notes.map((note, i) => `[${i + 1}] ${note}  `)] : []),
    ...(unmeasured.length > 0 ? ['', 'Not measured:', '', ...unmeasured.map((f) => `- ${f}`)] : []),
    '',
  ].join('\n');
};

const forJson = (report: Report): object => ({
  ...report,
  rows: report.rows.map((row) => ({
    ...row,
    medians: Object.fromEntries(
      Object.entries(row.samples).flatMap(([name, sample]) =>
        sample.length > 0 ? [[name, median(sample)]] : [],
      ),
    ),
    ratio: ratio(row) ?? null,
    ...(row.plain ? { percentOfPlain: median(percentOfPlain(row)) } : {}),
    met: isMet(row) ?? null,
    metAtPace: isMetAtPace(row) ?? null,
  })),
});

export const writeReport = (directory: string, report: Report): void => {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'latest.md'), markdown(report));
  writeFileSync(join(directory, 'latest.json'), `${JSON.stringify(forJson(report), null, 1)}\n`);
};
