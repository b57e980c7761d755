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
/** Everywhere: what is on the disk when its call returns waits for the disk (ADR 20). */
const known: RegExp[] = [/\bDatabase\.write\b|\bwriteDurably\b/];

/** Stands that the tests of this file know: by why they must be, what their stacks tell. */
export const knownStands = (stands: Readonly<Record<string, RegExp>>): void =>
  void known.push(...Object.values(stands));

/** Ten thousand published ports are one record, one plan and one batch. */
export const knowManyPorts = (): void =>
  knownStands({
    'ten thousand ports in one command (ADR 20)': /Bindings|readHostConfig|closeFirst|Ports|PortMap/,
  });

const isKnown = ({ stacks }: Stand): boolean => known.some((where) => where.test(stacks.join('\n')));

/** From now on the log's stands are failures of the tests of this file. */
export const watchLog = (log: () => string): void => {
  let told = 0;
  logs.push(() => {
    const stands = log().split('\n').filter(isStand);
    const fresh = stands.slice(told).map((line) => JSON.parse(line) as Stand);
    told = stands.length;
    return fresh
      .filter((stand) => !isKnown(stand))
      .map(shown)
      .join('');
  });
};

/** What the logs tell that was not told here before; empty where all loops turned. */
export const freshStands = (): string => logs.map((fresh) => fresh()).join('');
