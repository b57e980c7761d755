/** What is mounted where in our mount namespace, as the kernel tells it (mountinfo of proc(5)). */
import { readFileSync } from 'node:fs';

/** The kernel writes blanks and backslashes as octal (`\040`). */
const mountPoints = (): readonly string[] =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .flatMap((line) => line.split(' ')[4] ?? [])
    .map((path) =>
      path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    );

export const isMounted = (directory: string): boolean => mountPoints().includes(directory);

/** Mount points at a directory or anywhere below it. */
export const mountsBelow = (directory: string): readonly string[] =>
  mountPoints().filter((path) => path === directory || path.startsWith(`${directory}/`));
