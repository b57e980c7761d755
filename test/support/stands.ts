/**
 * When the event loop of a daemon stood too long, it tells it in its log (src/watchdog.ts), with the stacks that were seen
 * meanwhile. What the logs tell here fails the test (no-stands.ts).
 */
import { STOOD } from '../../src/watchdog.js';

interface Stand {
  readonly work: number;
  readonly waited: number;
  readonly stacks: readonly string[];
}

const isStand = (line: string): boolean => line.endsWith(`"msg":"${STOOD}"}`);

const shown = ({ work, waited, stacks }: Stand): string =>
  `${STOOD}: ${work} ms at work, ${waited} ms waiting in the kernel\n${stacks.join('\n    and\n') || '    (no stack was seen)'}\n`;

const logs: (() => string)[] = [];

/** From now on the log's stands are failures of the tests of this file. */
export const watchLog = (log: () => string): void => {
  let told = 0;
  logs.push(() => {
    const stands = log().split('\n').filter(isStand);
    const fresh = stands.slice(told);
    told = stands.length;
    return fresh.map((line) => shown(JSON.parse(line) as Stand)).join('');
  });
};

/** What the logs tell that was not told here before; empty where all loops turned. */
export const freshStands = (): string => logs.map((fresh) => fresh()).join('');
