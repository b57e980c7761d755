/** Facts of the host, looked up in /proc and /etc when they are needed. */

import { existsSync, openSync, readSync } from 'node:fs';
import { networkInterfaces, release } from 'node:os';
import { hostResolvConf } from '../dns/etc-files.js';
import { attempt } from '../errors.js';
import { hostSubnets, type Subnets } from '../ipam/subnets.js';
import { textOrNone } from '../small-files.js';
import type { HostFacts } from './view.js';

/** Milliseconds for which routes are kept that nobody was heard to change: not of every change the kernel tells. */
const KEPT_MS = 10_000;

/** Lines of `/proc/net/route`, which begin with the interface, without those of ours. */
const othersRoutes = (ours: ReadonlySet<string>): string[] =>
  textOrNone('/proc/net/route')
    .split('\n')
    .filter((line) => !ours.has(line.slice(0, line.indexOf('\t'))));

/** Lines of `/proc/net/ipv6_route`, which end with the interface, without those of ours and of `lo`. */
const othersRoutes6 = (ours: ReadonlySet<string>): string[] =>
  textOrNone('/proc/net/ipv6_route')
    .split('\n')
    .filter((line) => {
      const link = line.slice(line.lastIndexOf(' ') + 1);
      return link !== 'lo' && !ours.has(link);
    });

/** Destination and mask are little-endian hex. */
const ipv4Prefix = (line: string): string[] => {
  const [, destination = '', , , , , , mask = ''] = line.split('\t');
  if (destination.length !== 8 || mask.length !== 8) return [];
  const bytes = [6, 4, 2, 0].map((i) => Number.parseInt(destination.slice(i, i + 2), 16));
  const bits = Number.parseInt(mask, 16).toString(2).replace(/0/g, '').length;
  return [`${bytes.join('.')}/${bits}`];
};

/** Destination and prefix length are hex. */
const ipv6Prefix = (line: string): string[] => {
  const [destination = '', bits = ''] = line.split(' ', 2);
  if (destination.length !== 32) return [];
  return [`${(destination.match(/.{4}/g) ?? []).join(':')}/${Number.parseInt(bits, 16)}`];
};

const nameservers = (resolvConf: string): string[] =>
  resolvConf.split('\n').flatMap((line) => {
    const [word, address] = line.trim().split(/\s+/);
    return word === 'nameserver' && address ? [address] : [];
  });

/** systemd-resolved's stub is of no use to a container; its upstream list is (moby does the same). */
const resolvConfPath = (): string => {
  const own = nameservers(textOrNone('/etc/resolv.conf'));
  const resolved = '/run/systemd/resolve/resolv.conf';
  return own.length === 1 && own[0] === '127.0.0.53' && existsSync(resolved) ? resolved : '/etc/resolv.conf';
};

/** dockerd writes its pid here; with it alive, docker0 and docker_gwbridge are its own. */
const DOCKER_PID = '/var/run/docker.pid';

const dockerdLives = (): boolean =>
  existsSync('/sys/class/net/docker0') &&
  /dockerd/.test(textOrNone(`/proc/${Number(textOrNone(DOCKER_PID)) || 'none'}/cmdline`));

/** Asked for each container that is made, so the file stays open. Where there is none, nobody is warned. */
const createForwarding = (): (() => boolean) => {
  const value = Buffer.alloc(1);
  let file: number | undefined;
  return () => {
    file ??= attempt(() => openSync('/proc/sys/net/ipv4/ip_forward', 'r'));
    return file === undefined || readSync(file, value, 0, 1, 0) === 0 || value.toString() !== '0';
  };
};

/** `ours`: names of the host's interfaces on our networks, whose subnets are known from the model. */
export const createHostFacts = (options: {
  readonly ours: () => ReadonlySet<string>;
  readonly gateways: () => readonly string[];
  readonly link: HostFacts['link'];
  readonly holds: HostFacts['holds'];
  readonly freePort: HostFacts['freePort'];
}): HostFacts => {
  let known: { at: number; resolvConf: string; seen: string; subnets: Subnets } | undefined;
  const look = (at: number, resolvConf: string) => {
    const ours = options.ours();
    const [v4, v6] = [othersRoutes(ours), othersRoutes6(ours)];
    // Others' routes seldom change, and to compare them is cheaper than to read them as numbers.
    const seen = [...v4, ...v6, resolvConf].join('\n');
    if (known?.seen === seen) return { ...known, at };
    const routes = [...v4.flatMap(ipv4Prefix), ...v6.flatMap(ipv6Prefix)];
    return { at, resolvConf, seen, subnets: hostSubnets(routes, nameservers(resolvConf)) };
  };
  return {
    subnets(changed = false) {
      const [now, resolvConf] = [performance.now(), textOrNone(resolvConfPath())];
      if (!known || changed || now - known.at > KEPT_MS || known.resolvConf !== resolvConf)
        known = look(now, resolvConf);
      return known.subnets;
    },
    routesChanged() {
      known = undefined;
    },
    forwardsIpv4: createForwarding(),
    resolvConf: hostResolvConf,
    defaultBridge: () => (dockerdLives() ? 'viaduct0' : 'docker0'),
    gatewayBridge: () => (dockerdLives() ? 'viaduct_gw' : 'docker_gwbridge'),
    gatewayAddresses: options.gateways,
    link: options.link,
    holds: options.holds,
    freePort: options.freePort,
  };
};

/** The first address of the host that is not a loopback one. */
export const hostAddress = (): string | undefined =>
  Object.values(networkInterfaces())
    .flat()
    .find((a) => a && !a.internal && a.family === 'IPv4')?.address;

/**
 * Does the kernel have Open vSwitch's module, loaded or to be loaded by whoever starts Open vSwitch? Asked of the machine
 * rather than of Open vSwitch, so that the answer stays the same whenever that is started.
 */
export const hasOvsModule = (): boolean => {
  if (existsSync('/sys/module/openvswitch')) return true;
  const directory = `/lib/modules/${release()}`;
  return ['modules.dep', 'modules.builtin'].some((file) =>
    textOrNone(`${directory}/${file}`).includes('/openvswitch.ko'),
  );
};

/** Does the kernel have IPv6, not switched off by `ipv6.disable=1`? */
export const hasIpv6 = (): boolean => existsSync('/proc/net/if_inet6');
