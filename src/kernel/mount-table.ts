/** What is mounted where in our mount namespace, or a process's, as the kernel tells it (mountinfo of proc(5)). */
import { readFileSync } from 'node:fs';

export interface Mount {
  readonly id: string;
  /** the mount that it is on */
  readonly parent: string;
  readonly point: string;
  /** mounts elsewhere come here, or from here elsewhere */
  readonly propagates: boolean;
}

/** The kernel writes blanks and backslashes as octal (`\040`). */
const plainPath = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

export const mountsOf = (process: number | 'self'): readonly Mount[] =>
  readFileSync(`/proc/${process}/mountinfo`, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [id = '', parent = '', , , point, , ...tags] = line.split(' ');
      const propagates = tags.slice(0, tags.indexOf('-')).some((tag) => /^(shared|master):/.test(tag));
      return point === undefined ? [] : [{ id, parent, point: plainPath(point), propagates }];
    });

/** A path and the directories above it, but not the root. */
const upwards = (path: string): readonly string[] =>
  [...path.matchAll(/\/[^/]+/g)].map(({ index, 0: name }) => path.slice(0, index + name.length));

/** Without those that no path leads to, because another one lies over a directory above them: a second /sys over the first. */
export const reachable = (mounts: readonly Mount[]): readonly Mount[] => {
  const byId = new Map(mounts.map((mount) => [mount.id, mount]));
  const taken = new Set(mounts.map(({ parent, point }) => `${parent} ${point}`));
  const known = new Map<string, boolean>();
  const isCovered = ({ id, parent, point }: Mount): boolean => {
    const answer = known.get(id);
    if (answer !== undefined) return answer;
    known.set(id, false); // the root may be on itself
    const on = byId.get(parent);
    const above = upwards(point).filter((path) => path !== point && path.length >= (on?.point.length ?? 0));
    const covered =
      on !== undefined && (isCovered(on) || above.some((path) => taken.has(`${parent} ${path}`)));
    known.set(id, covered);
    return covered;
  };
  return mounts.filter((mount) => !isCovered(mount));
};

const mountPoints = (): readonly string[] => mountsOf('self').map(({ point }) => point);

export const isMounted = (directory: string): boolean => mountPoints().includes(directory);

/** Mount points at a directory or anywhere below it. */
export const mountsBelow = (directory: string): readonly string[] =>
  mountPoints().filter((path) => path === directory || path.startsWith(`${directory}/`));
