/** The rows of the table: what a figure hands over, and when the target is met. */
import type { EngineName } from './engine.js';
import { median } from './statistics.js';

type Unit = 'ms' | 'µs' | 'ms/s' | '1/s' | 'Gbit/s' | 'kB' | 'MB' | '%' | '×' | 'processes';

/**
 * `most` and `least` bound Viaduct's median; `timesDockerd` is the least ratio of the medians, `ofPlain` the least share (%)
 * of the same made by hand. `dockerdThen` is dockerd's
 * median on the machine for which the target was set, the same day (shared/KERNEL.md, "dockerd 20.10"): what dockerd takes
 * here beside it says how slow this machine is.
 */
export type Target =
  | { readonly kind: 'most'; readonly value: number; readonly dockerdThen?: number }
  | { readonly kind: 'least'; readonly value: number }
  | { readonly kind: 'timesDockerd'; readonly value: number }
  | { readonly kind: 'ofPlain'; readonly value: number };

export interface Row {
  readonly title: string;
  readonly unit: Unit;
  readonly better: 'less' | 'more';
  readonly target?: Target;
  /** one value a round; empty where an engine was not measured */
  readonly samples: Readonly<Record<EngineName, readonly number[]>>;
  /** the same made by hand from plain kernel devices; measured round by round beside Viaduct's */
  readonly plain?: readonly number[];
  /** what a reader must know to take the figure for what it is */
  readonly note?: string;
}

export const most = (value: number, dockerdThen?: number): Target => ({
  kind: 'most',
  value,
  ...(dockerdThen === undefined ? {} : { dockerdThen }),
});
export const least = (value: number): Target => ({ kind: 'least', value });
export const ofPlain = (value: number): Target => ({ kind: 'ofPlain', value });
export const timesDockerd = (value: number): Target => ({ kind: 'timesDockerd', value });

/** How many times better Viaduct is; undefined where one was not measured or nothing can be divided. */
export const ratio = ({ samples, better }: Row): number | undefined => {
  if (samples.viaduct.length === 0 || samples.dockerd.length === 0) return undefined;
  const [ours, theirs] = [median(samples.viaduct), median(samples.dockerd)];
  const times = better === 'less' ? theirs / ours : ours / theirs;
  return Number.isFinite(times) && times > 0 ? times : undefined;
};

/** What of the plain devices' Viaduct reaches (100: all), round by round. */
export const percentOfPlain = ({ samples, plain = [], better }: Row): readonly number[] =>
  samples.viaduct.flatMap((ours, round) => {
    const theirs = plain[round];
    if (theirs === undefined) return [];
    return [100 * (better === 'less' ? theirs / ours : ours / theirs)];
  });

/** Undefined where there is no target, or dockerd was not measured beside it. */
export const isMet = (row: Row): boolean | undefined => {
  const { target, samples } = row;
  if (!target || samples.viaduct.length === 0) return undefined;
  const value = median(samples.viaduct);
  if (target.kind === 'most') return value <= target.value;
  if (target.kind === 'least') return value >= target.value;
  if (target.kind === 'ofPlain') return median(percentOfPlain(row)) >= target.value;
  const times = ratio(row);
  return times === undefined ? undefined : times >= target.value;
};

/** The target at this machine's pace: as much more as dockerd takes more here. Undefined where nobody knows. */
export const pacedTarget = ({ target, samples }: Row): number | undefined => {
  if (target?.kind !== 'most' || target.dockerdThen === undefined || samples.dockerd.length === 0)
    return undefined;
  return (target.value * median(samples.dockerd)) / target.dockerdThen;
};

export const isMetAtPace = (row: Row): boolean | undefined => {
  const paced = pacedTarget(row);
  return paced === undefined || row.samples.viaduct.length === 0
    ? undefined
    : median(row.samples.viaduct) <= paced;
};

export const targetText = ({ target, unit }: Row): string => {
  if (!target) return '';
  if (target.kind === 'timesDockerd') return `≥ ${target.value} × dockerd`;
  if (target.kind === 'ofPlain') return `≥ ${target.value} %`;
  return `${target.kind === 'most' ? '≤' : '≥'} ${target.value} ${unit}`;
};
