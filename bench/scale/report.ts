/** What was measured of growth, as Markdown with bars, as an SVG and as JSON. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Machine } from '../machine.js';
import { number, place, table } from '../report.js';
import { bars, svg } from './chart.js';
import { figureOf, type Goal, isMet, reached, type Series, type Side } from './series.js';

export interface ScaleReport {
  readonly machine: Machine;
  readonly version: string;
  readonly quick: boolean;
  readonly series: readonly Series[];
  /** figures that could not be measured, and why */
  readonly failures: readonly string[];
}

const GOALS: Readonly<Record<Goal['kind'], (value: number, unit: string) => string>> = {
  timesEmpty: (value) => `≤ ${value} × the empty engine's`,
  timesFirst: (value) => `≤ ${value} × the first`,
  most: (value, unit) => `≤ ${value} ${unit}`,
  least: (value, unit) => `≥ ${value} ${unit}`,
};

const reachedText = (series: Series): string => {
  const value = reached(series);
  if (value === undefined || !series.goal) return '';
  const times = series.goal.kind === 'timesEmpty' || series.goal.kind === 'timesFirst';
  return `${number(value)} ${times ? '×' : series.unit}`;
};

const cell = (value: number | undefined, unit: string): string =>
  value === undefined ? '–' : `${number(value)} ${unit}`;

const line = (series: Series): readonly string[] => {
  const { title, along, unit, goal, points } = series;
  const [first, last] = [points[0], points.at(-1)];
  const met = isMet(series);
  return [
    title,
    last ? `${number(last.at)} ${along}` : '',
    cell(first && figureOf(series, first.grown), unit),
    cell(last && figureOf(series, last.grown), unit),
    cell(last && figureOf(series, last.empty), unit),
    reachedText(series),
    goal ? GOALS[goal.kind](goal.value, unit) : '',
    met === undefined ? '' : met ? 'yes' : '**no**',
  ];
};

const HEADER = ['what', 'with', 'at first', 'then', 'empty engine', 'so', 'goal', 'met'];

const lastOf = (series: Series | undefined, side: Side): number | undefined => {
  const last = series?.points.at(-1);
  return series && last && figureOf(series, last[side]);
};

/** From the first point to the last where the goal is about growth. */
const floorText = (series: Series, all: readonly Series[]): string => {
  const { floor, unit, goal } = series;
  if (!floor) return '–';
  if (floor.of === 'empty')
    return `${cell(lastOf(series, 'empty'), unit)} (an engine that does nothing, in the same seconds)`;
  return floor.of
    .map(({ title }) => {
      const by = all.find((each) => each.title === title);
      const first = by?.points[0];
      const begin =
        goal?.kind.startsWith('times') && by && first ? `${cell(figureOf(by, first.grown), by.unit)} → ` : '';
      return `${begin}${cell(lastOf(by, 'grown'), by?.unit ?? unit)} (${title})`;
    })
    .join(' + ');
};

const missed = (all: readonly Series[]): readonly string[] => {
  const lines = all
    .filter((series) => isMet(series) === false)
    .map((series) => [
      series.title,
      reachedText(series),
      series.goal ? GOALS[series.goal.kind](series.goal.value, series.unit) : '',
      floorText(series, all),
      series.floor?.why ?? '',
    ]);
  return lines.length === 0
    ? []
    : ['', '## Missed, and the floor', '', table(['what', 'so', 'goal', 'floor', 'why'], lines)];
};

const READING =
  'One engine has ever more of something; beside it, in turn and in the same minute, another one has nothing: its figure is what the machine gave just then. Medians of the rounds, or where it says so the worst.';

export const markdown = ({ machine, version, quick, series, failures }: ScaleReport): string =>
  [
    '# What grows and what does not',
    '',
    `${place(machine)}; Viaduct ${version} (${machine.commit}).`,
    '',
    `${READING}${quick ? ' **A quick run: small numbers, few rounds.**' : ''}`,
    '',
    table(HEADER, series.map(line)),
    ...missed(series),
    '',
    '![growth](scale.svg)',
    ...series.flatMap((each) => ['', `## ${each.title}`, '', '```', bars(each), '```']),
    ...(failures.length > 0 ? ['', 'Not measured:', '', ...failures.map((f) => `- ${f}`)] : []),
    '',
  ].join('\n');

export const writeReport = (directory: string, report: ScaleReport): void => {
  mkdirSync(directory, { recursive: true });
  const forJson = {
    ...report,
    series: report.series.map((each) => ({
      ...each,
      reached: reached(each) ?? null,
      met: isMet(each) ?? null,
    })),
  };
  writeFileSync(join(directory, 'scale.md'), markdown(report));
  writeFileSync(join(directory, 'scale.svg'), svg(report.series));
  writeFileSync(join(directory, 'scale.json'), `${JSON.stringify(forJson, null, 1)}\n`);
};
