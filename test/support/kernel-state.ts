/**
 * What is in the kernel and on disk of a daemon's, as sorted lines of text: two of these compared show what a command
 * left behind. Link-local addresses and counters, which come and go by themselves, are left out.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RULESET } from '../../src/firewall/index.js';
import { isAlive } from '../../src/kernel/processes.js';
import { GROUP } from '../../src/kernel/reaper.js';
import type { TestDaemon } from './daemon.js';
import { until } from './run.js';

const lines = (text: string, prefix: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '')
    .map((line) => `${prefix} ${line}`);

const entries = (directory: string, prefix: string): string[] =>
  existsSync(directory) ? readdirSync(directory).map((name) => `${prefix} ${name}`) : [];

/** Name, master, MAC (a veth's near end has one that nobody sees) and whether it is up; not the state of its carrier. */
const LINKS = `ip -j -d link | tr -d '\\n'`;

interface IpLink {
  readonly ifname: string;
  readonly address?: string;
  readonly master?: string;
  readonly group: string;
  readonly flags: readonly string[];
}

/** Once no link is dying any more: those have a group of their own. */
const settledLinks = (d: TestDaemon): Promise<readonly IpLink[]> =>
  until('dying links are gone', async () => {
    const now = JSON.parse(await d.host(LINKS)) as readonly IpLink[]; // iproute2's own format
    return now.every((l) => Number(l.group) !== GROUP) ? now : undefined;
  });

/** Of the host's interfaces, when none of them is on its way out. */
export const linkNames = async (d: TestDaemon): Promise<readonly string[]> =>
  (await settledLinks(d)).map(({ ifname }) => ifname).sort();

const links = async (d: TestDaemon): Promise<string[]> =>
  (await settledLinks(d)).map(
    ({ ifname, address = '', master = '-', flags }) =>
      `link ${ifname} ${ifname.startsWith('veth') ? '' : address} ${master} ${flags.includes('UP') ? 'up' : 'down'}`,
  );

/** What the daemon keeps on disk, once nothing is on its way out any more: that has a name of its own. */
const files = (d: TestDaemon): Promise<string[]> =>
  until('files of removed containers are gone', async () => {
    const now = [
      ...entries(join(d.execRoot, 'netns'), 'netns'),
      ...entries(join(d.execRoot, 'roots'), 'root'),
      ...entries(join(d.execRoot, 'containers'), 'bundle'),
      ...entries(join(d.execRoot, 'containers/.exits'), 'exit'),
      ...entries(join(d.execRoot, 'containers/.states'), 'state'),
      ...entries(join(d.dataRoot, 'containers'), 'files'),
      ...entries(join(d.dataRoot, 'volumes'), 'volume'),
      ...entries(join(d.dataRoot, 'writable'), 'layer').filter(
        (line) => line !== 'layer .empty' && line !== 'layer .bottom',
      ),
    ];
    return now.some((line) => line.includes(' .gone-')) ? undefined : now;
  });

/** The relay listens on another port in each daemon. */
const withoutRelayPort = (rules: string): string => {
  const port = /elements = \{ tcp : (\d+) \}/.exec(rules)?.[1];
  return port === undefined ? rules : rules.replace(new RegExp(`\\b${port}\\b`, 'g'), 'RELAY');
};

const TIED = RULESET.flatMap(({ chains }) =>
  chains.filter(({ base }) => base?.tiedTo).map(({ name }) => name),
);

/** Without what each packet adds. */
export const withoutCounts = (rules: string): string => rules.replace(/ counter packets \d+ bytes \d+/g, '');

/** Chains that outlive the last who needed them, until the daemon's next start. */
const withoutTiedChains = (rules: string): string =>
  rules.replace(new RegExp(`\\n*\\tchain (?:${TIED.join('|')}) \\{[^}]*\\}`, 'g'), '');

/** What a daemon that lives hands its containers over by (`runtime/hand-over.ts`): each has its own, from its first start on. */
const isOfLiving = (path: string): boolean => {
  const [, pid, startTime = ''] = /\/\.hand\/(\d+)\.(\d+)\./.exec(path) ?? [];
  return pid !== undefined && isAlive({ pid: Number(pid), startTime });
};

export const kernelState = async (d: TestDaemon): Promise<readonly string[]> => {
  const settled = await links(d);
  const [addresses, routes, rules, kept] = await Promise.all([
    d.host(`ip -o addr show scope global | awk '{print $2, $4}'`),
    d.host('ip route; ip -6 route | grep -v ^fe80 || true'),
    d.host('nft list ruleset'),
    files(d),
  ]);
  return [
    ...settled,
    ...lines(addresses, 'address'),
    ...lines(routes.replace(/ linkdown/g, ''), 'route'),
    ...lines(withoutCounts(withoutTiedChains(withoutRelayPort(rules))).replace(/ # progname .*/g, ''), 'nft'),
    ...d.world.mounts().flatMap((path) => (isOfLiving(path) ? [] : [`mount ${path}`])),
    ...kept,
  ].sort();
};

/** The keeper of the tables (`kernel/nftables/keeper.ts`); 0 where there is none. */
export const keeperOf = (d: TestDaemon): number =>
  d.world.processes().find((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('viaduct-keeper\0');
    } catch {
      return false; // it has ended
    }
  }) ?? 0;

/** Containers' processes with their conmons, and those that tests started. */
export const containerProcesses = (d: TestDaemon): number => {
  const keeper = keeperOf(d);
  return d.world.processes().filter((pid) => pid !== d.pid() && pid !== keeper).length;
};

/** Descriptors that the daemon has open. */
export const openFiles = (d: TestDaemon): number => readdirSync(`/proc/${d.pid()}/fd`).length;
