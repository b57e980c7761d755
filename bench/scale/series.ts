/**
 * Growth: one operation, measured on an engine that has ever more of something and, in the same minute, on one that has
 * nothing. Beside the empty one a figure says what growth costs, whatever else the machine does.
 */
import { median, quantile } from '../statistics.js';

export type Side = 'grown' | 'empty';

/** `timesEmpty`: at most so many times the empty engine's; `timesFirst`: the first point's; `most`: in the unit. Of the last point. */
export interface Goal {
  readonly kind: 'timesEmpty' | 'timesFirst' | 'most' | 'least';
  readonly value: number;
}

/** What stands beside a figure that misses its goal, measured in the same run: the empty engine's own, or what is made by hand (added up). */
interface Floor {
  readonly of: 'empty' | readonly Curve[];
  /** a sentence: what the floor is made of, and what of the figure is above it */
  readonly why: string;
}

export interface Curve {
  readonly title: string;
  /** what there is ever more of */
  readonly along: string;
  readonly unit: 'ms' | 's' | 'MB' | '×' | '1/s';
  /** the figure of a point: its rounds' median, or the worst of them */
  readonly of?: 'median' | 'worst';
  readonly goal?: Goal;
  readonly floor?: Floor;
}

interface Point {
  readonly at: number;
  /** one value a round */
  readonly grown: readonly number[];
  readonly empty: readonly number[];
}

export interface Series extends Curve {
  readonly points: readonly Point[];
}

export interface Recorder {
  add(curve: Curve, at: number, side: Side, ...values: readonly number[]): void;
}

/** Collects what figures measure; curves come out in the order of their first values. */
export class Growth implements Recorder {
  readonly #points = new Map<Curve, Map<number, Record<Side, number[]>>>();

  add(curve: Curve, at: number, side: Side, ...values: readonly number[]): void {
    const points = this.#points.get(curve) ?? new Map<number, Record<Side, number[]>>();
    const point = points.get(at) ?? { grown: [], empty: [] };
    point[side].push(...values);
    this.#points.set(curve, points.set(at, point));
  }

  series(): readonly Series[] {
    return [...this.#points].map(([curve, points]) => ({
      ...curve,
      points: [...points].map(([at, sides]) => ({ at, ...sides })),
    }));
  }
}

/** The figure of a point; undefined where it was not measured on that side. */
export const figureOf = ({ of = 'median' }: Curve, values: readonly number[]): number | undefined =>
  values.length === 0 ? undefined : of === 'median' ? median(values) : quantile(values, 1);

/** What the goal is compared with; undefined where something of it was not measured. */
export const reached = (series: Series): number | undefined => {
  const { goal, points } = series;
  const [first, last] = [points[0], points.at(-1)];
  const grown = last && figureOf(series, last.grown);
  if (!goal || grown === undefined || !first || !last) return undefined;
  if (goal.kind === 'most' || goal.kind === 'least') return grown;
  const base = figureOf(series, goal.kind === 'timesEmpty' ? last.empty : first.grown);
  return base === undefined ? undefined : grown / base;
};

export const isMet = (series: Series): boolean | undefined => {
  const value = reached(series);
  if (!series.goal || value === undefined) return undefined;
  return series.goal.kind === 'least' ? value >= series.goal.value : value <= series.goal.value;
};
