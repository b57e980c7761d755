/**
 * When the event loop of a daemon stood too long, it tells it in its log (src/watchdog.ts), with the stacks that were seen
 * meanwhile. What the logs tell here fails the test (no-stands.ts).
 */
import { STOOD } from '../../src/watchdog.js';

interface Stand {
  readonly work: number;
  readonly waited: number;
  readonly queued: number;
  readonly starved: number;
  readonly stacks: readonly string[];
  /** functions of the kernel, innermost first, at each look */
  readonly calls: readonly string[];
}

const isStand = (line: string): boolean => line.endsWith(`"msg":"${STOOD}"}`);

const shown = ({ work, waited, queued, starved, stacks, calls }: Stand): string =>
  [
    `${STOOD}: ${work} ms at work, ${waited} ms waiting in the kernel (${queued} ms queued, ${starved} ms starved)`,
    stacks.join('\n    and\n') || '    (no stack was seen)',
    ...calls.map((call) => `    in the kernel: ${call}`),
    '',
  ].join('\n');

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

/**
 * Milliseconds. The network's lock is one for all namespaces of a kernel, and other tests make and remove links on it meanwhile: who
 * waits for it so long has done nothing wrong.
 */
const OTHERS_WAIT = 250;
const OWN_WORK = 50;

/** Calls to the kernel's network, its grace periods, and no call at all: the thread was put aside by an interrupt, or on its way out of a call. */
const OTHERS = /\bnetlink_|\brtnl_|\bsynchronize_rcu|\birqentry_exit_to_user_mode|^exit_to_user_mode_loop\b/;

/** Where the kernel's own stacks cannot be read, by who made the calls. */
const isOthers = ({ work, waited, stacks, calls }: Stand): boolean => {
  const [seen, network] = calls.length > 0 ? [calls, OTHERS] : [stacks, /NetlinkSocket/];
  return (
    work < OWN_WORK && waited < OTHERS_WAIT && seen.length > 0 && seen.every((each) => network.test(each))
  );
};

const isKnown = ({ stacks }: Stand): boolean => known.some((where) => where.test(stacks.join('\n')));

/** From now on the log's stands are failures of the tests of this file. */
export const watchLog = (log: () => string): void => {
  let told = 0;
  logs.push(() => {
    const stands = log().split('\n').filter(isStand);
    const fresh = stands.slice(told).map((line) => JSON.parse(line) as Stand);
    told = stands.length;
    return fresh
      .filter((stand) => !isKnown(stand) && !isOthers(stand))
      .map(shown)
      .join('');
  });
};

/** What the logs tell that was not told here before; empty where all loops turned. */
export const freshStands = (): string => logs.map((fresh) => fresh()).join('');
