/** What is mounted where in our mount namespace, or a process's, as the kernel tells it (mountinfo of proc(5)). */
import { readFileSync } from 'node:fs';

interface Mount {
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
      const [, , , , point, , ...tags] = line.split(' ');
      const propagates = tags.slice(0, tags.indexOf('-')).some((tag) => /^(shared|master):/.test(tag));
      return point === undefined ? [] : [{ point: plainPath(point), propagates }];
    });

const mountPoints = (): readonly string[] => mountsOf('self').map(({ point }) => point);

export const isMounted = (directory: string): boolean => mountPoints().includes(directory);

/** Mount points at a directory or anywhere below it. */
export const mountsBelow = (directory: string): readonly string[] =>
  mountPoints().filter((path) => path === directory || path.startsWith(`${directory}/`));
