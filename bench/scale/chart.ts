/** Growth drawn: as bars of text for a terminal and Markdown, and as small charts side by side in one SVG. Pure. */
import { number } from '../report.js';
import { figureOf, type Series } from './series.js';

const BAR = 32;
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const;

/** `share`: 0 to 1. */
const bar = (share: number): string => {
  const eighths = Math.round(share * BAR * 8);
  return '█'.repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? '');
};

interface Drawn {
  readonly at: number;
  readonly grown: number;
  readonly empty: number | undefined;
}

const drawn = (series: Series): readonly Drawn[] =>
  series.points.flatMap(({ at, grown, empty }) => {
    const value = figureOf(series, grown);
    return value === undefined ? [] : [{ at, grown: value, empty: figureOf(series, empty) }];
  });

const highest = (points: readonly Drawn[]): number =>
  Math.max(...points.flatMap(({ grown, empty = 0 }) => [grown, empty]), Number.MIN_VALUE);

/** One line a point: how many, a bar, the figure, the empty engine's. */
export const bars = (series: Series): string => {
  const points = drawn(series);
  const top = highest(points);
  const width = Math.max(...points.map(({ at }) => number(at).length));
  return points
    .map(({ at, grown, empty }) => {
      const beside = empty === undefined ? '' : `  (empty ${number(empty)})`;
      return `${number(at).padStart(width)} ${bar(grown / top).padEnd(BAR)} ${number(grown)} ${series.unit}${beside}`;
    })
    .join('\n');
};

const [WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM] = [340, 190, 44, 34, 14, 34];
const GAP = 16;
const COLUMNS = 2;

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

const label = (x: number, y: number, words: string, more = ''): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${escaped(words)}</text>`;

const line = (points: readonly (readonly [number, number])[], style: string): string => {
  const path = points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' ');
  const dots = points
    .map(([x, y]) => `<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="2.5" />`)
    .join('');
  return `<g class="${style}"><polyline points="${path}" />${dots}</g>`;
};

/** Both axes begin at nothing, so that what does not grow lies flat. */
const chart = (series: Series): string => {
  const points = drawn(series);
  const top = highest(points);
  const furthest = Math.max(...points.map(({ at }) => at), 1);
  const x = (at: number): number => LEFT + (at / furthest) * (WIDTH - LEFT - RIGHT);
  const y = (value: number): number => HEIGHT - BOTTOM - (value / top) * (HEIGHT - TOP - BOTTOM);
  const empty = points.flatMap(({ at, empty }) => (empty === undefined ? [] : [[x(at), y(empty)] as const]));
  return [
    `<rect width="${WIDTH}" height="${HEIGHT}" rx="6" />`,
    label(12, 20, series.title, 'class="title"'),
    `<path class="axis" d="M${LEFT} ${TOP}V${HEIGHT - BOTTOM}H${WIDTH - RIGHT}" />`,
    label(LEFT - 5, y(top) + 4, number(top), 'text-anchor="end"'),
    label(LEFT - 5, y(0), '0', 'text-anchor="end"'),
    label(LEFT - 5, (y(top) + y(0)) / 2, series.unit, 'text-anchor="end"'),
    label(x(furthest), HEIGHT - BOTTOM + 15, `${number(furthest)} ${series.along}`, 'text-anchor="end"'),
    ...(empty.length > 0 ? [line(empty, 'empty')] : []),
    line(
      points.map(({ at, grown }) => [x(at), y(grown)]),
      'grown',
    ),
  ].join('\n');
};

const STYLE = `text{font:11px sans-serif;fill:#444}.title{font-weight:bold;fill:#111}rect{fill:#fff;stroke:#ddd}
.axis{fill:none;stroke:#999}polyline{fill:none;stroke-width:2}
.grown{stroke:#c2410c;fill:#c2410c}.empty{stroke:#64748b;fill:#64748b;stroke-dasharray:4 3}`;

/** All of them in one picture; the dashed line is the empty engine. */
export const svg = (all: readonly Series[]): string => {
  const place = (i: number): string =>
    `translate(${GAP + (i % COLUMNS) * (WIDTH + GAP)} ${GAP + Math.floor(i / COLUMNS) * (HEIGHT + GAP)})`;
  const rows = Math.ceil(all.length / COLUMNS);
  const [width, height] = [COLUMNS * (WIDTH + GAP) + GAP, rows * (HEIGHT + GAP) + GAP];
  const charts = all.map((series, i) => `<g transform="${place(i)}">\n${chart(series)}\n</g>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}">
<style>${STYLE}</style>
${charts.join('\n')}
</svg>
`;
};
