/**
 * The kinds of objects that a namespace and its interfaces hold (addresses, routes, sysctls, …): what a plan must
 * know of each.
 */
import type { Family } from '../../model/network.js';
import type { Netns } from '../link-objects.js';
import { interfaceKey, ip, type Kind, VERBS, within } from './kind.js';
import { link } from './link.js';

/** A named network namespace, bind-mounted at `path`; `lo` is up in it. */
export interface NetnsObject {
  readonly kind: 'netns';
  readonly path: string;
}

const netns: Kind<NetnsObject> = {
  key: ({ path }) => path,
  mark: 'own',
  open: 'openNetns',
  close: 'closeNetns',
  print: (op, { path }) => `ip netns ${VERBS[op]} ${path}`,
};

/** What is on an interface goes with it, and with the namespace. */
const onLink: Pick<Kind<{ ns: Netns; link: string }>, 'on' | 'within'> = {
  on: (o) => interfaceKey(o.ns, o.link),
  within: ({ ns }) => ns,
};

export interface AddressObject {
  readonly kind: 'address';
  readonly ns: Netns;
  readonly link: string;
  /** with prefix length; IPv6 is added `nodad` */
  readonly address: string;
  /** false, only where observed on the host: somebody took away the route to its subnet that the kernel made with it */
  readonly connected?: false;
}

const address: Kind<AddressObject> = {
  ...onLink,
  key: (o) => `${o.ns} ${o.link} ${o.address}`,
  mark: 'host',
  open: 'openAddress',
  close: 'closeAddress',
  print: (op, o) =>
    `${ip(o.ns)} address ${VERBS[op]} ${o.address} dev ${o.link}${o.address.includes(':') && op !== 'delete' ? ' nodad' : ''}`,
};

export interface RouteObject {
  readonly kind: 'route';
  readonly ns: Netns;
  readonly family: Family;
  /** CIDR; `0.0.0.0/0` and `::/0` are the default routes */
  readonly destination: string;
  readonly link: string;
  /** bare address; absent: on-link */
  readonly via?: string;
  readonly metric?: number;
}

const DEFAULT = /^(0\.0\.0\.0|::)\/0$/;

const route: Kind<RouteObject> = {
  ...onLink,
  key: (o) => `${o.ns} ${o.destination} ${o.metric ?? 0}`,
  mark: 'host',
  open: 'openRoute',
  close: 'closeRoute',
  print: (op, o) => {
    const destination = DEFAULT.test(o.destination) ? 'default' : o.destination;
    const via = o.via === undefined ? '' : ` via ${o.via}`;
    const metric = o.metric === undefined ? '' : ` metric ${o.metric}`;
    return `${ip(o.ns)} ${o.family === 6 ? '-6 ' : ''}route ${VERBS[op]} ${destination}${via} dev ${o.link}${metric}`;
  },
};

export interface NeighbourObject {
  readonly kind: 'neighbour';
  readonly ns: Netns;
  readonly link: string;
  readonly address: string;
  readonly mac: string;
}

const neighbour: Kind<NeighbourObject> = {
  ...onLink,
  key: (o) => `${o.ns} ${o.link} ${o.address}`,
  mark: 'host',
  open: 'openNeighbour',
  close: 'closeNeighbour',
  print: (op, o) =>
    `${ip(o.ns)} neighbour ${VERBS[op]} ${o.address} lladdr ${o.mac} dev ${o.link} nud permanent`,
};

/**
 * Where a MAC is: behind a port of a bridge, or, with a destination, behind a VXLAN device that is one. Such a device has a
 * table of its own beside its bridge's, and the entry is in both.
 */
export interface FdbObject {
  readonly kind: 'fdb';
  readonly ns: Netns;
  readonly link: string;
  readonly mac: string;
  /** remote VTEP, bare address */
  readonly destination?: string;
  /** false, only where observed: the device knows the destination, but its bridge has lost the entry */
  readonly bridged?: false;
}

const fdb: Kind<FdbObject> = {
  ...onLink,
  key: (o) => `${o.ns} ${o.link} ${o.mac}`,
  mark: 'host',
  // A port that was taken off its bridge is its port again when it is raised.
  open: ({ destination }) => (destination === undefined ? 'openShortcut' : 'openNeighbour'),
  close: 'closeNeighbour',
  print: (op, o) => {
    const remote = o.destination === undefined ? '' : ` self master static dst ${o.destination}`;
    return `${o.ns === 'host' ? 'bridge' : `bridge -n ${o.ns}`} fdb ${VERBS[op]} ${o.mac} dev ${o.link}${remote}`;
  },
};

/** Another host behind a WireGuard interface: whom it is known by, where it is, and which address is its own alone. */
export interface WireguardPeerObject {
  readonly kind: 'wireguardPeer';
  readonly ns: 'host';
  readonly link: string;
  /** its public key, base64 */
  readonly key: string;
  /** bare address and UDP port where it listens */
  readonly address: string;
  readonly port: number;
  /** bare: packets to it are for the peer, and packets of the peer's come from it alone */
  readonly inside: string;
}

const wireguardPeer: Kind<WireguardPeerObject> = {
  ...onLink,
  key: (o) => `${o.ns} ${o.link} ${o.key}`,
  mark: 'host',
  open: 'openNeighbour',
  close: 'closeNeighbour',
  print: (op, o) =>
    op === 'delete'
      ? `wg set ${o.link} peer ${o.key} remove`
      : `wg set ${o.link} peer ${o.key} endpoint ${o.address.includes(':') ? `[${o.address}]` : o.address}:${o.port} allowed-ips ${o.inside}/128`,
};

export interface SysctlObject {
  readonly kind: 'sysctl';
  readonly ns: Netns;
  /** below /proc/sys, with slashes: `net/ipv4/conf/br-4f…/route_localnet` */
  readonly path: string;
  readonly value: string;
  /** what to write when it is no longer wanted, for an interface that stays; absent: it is left as it is. Not part of its state. */
  readonly restore?: string;
}

const INTERFACE_SYSCTL = /^net\/[a-z0-9]+\/(?:conf|neigh)\/([^/]+)\//;

/** The interface a sysctl belongs to; undefined: the namespace itself (also for `all` and `default`). */
const sysctlLink = (path: string): string | undefined => {
  const name = INTERFACE_SYSCTL.exec(path)?.[1];
  return name === 'all' || name === 'default' ? undefined : name;
};

const sysctl: Kind<SysctlObject> = {
  key: (o) => `${o.ns} ${o.path}`,
  mark: 'none',
  open: 'openSysctl',
  close: 'closeSysctl',
  on: ({ ns, path }) => {
    const name = sysctlLink(path);
    return name === undefined ? undefined : interfaceKey(ns, name);
  },
  within: ({ ns }) => ns,
  same: (a, b) => a.value === b.value,
  print: (op, o) =>
    `${within(o.ns)}sysctl ${op === 'delete' ? `--reset ${o.path}` : `-w ${o.path}=${o.value}`}`,
};

/**
 * An interface of somebody else's that must be there (`-o parent=eth0`): looked for, never made, changed or deleted. Its
 * key is none of a link's, because it may be one of ours as well (the bridge of another network).
 */
export interface ForeignObject {
  readonly kind: 'foreign';
  readonly ns: 'host';
  readonly name: string;
  /** what the user is told where it is not there */
  readonly missing: string;
}

const foreign: Kind<ForeignObject> = {
  key: (o) => `${o.ns} ${o.name}`,
  mark: 'none',
  open: 'openForeign',
  close: 'closeForeign',
  onHost: ({ name }) => name,
  /** What we say where it is missing is no state of its. */
  same: () => true,
  print: (op, { name }) => `${op === 'delete' ? 'leave' : 'use'} ${name}`,
};

/** Whether an interface leaves checksums and segmentation to whoever receives (as by `ethtool -K … tx`). */
export interface OffloadObject {
  readonly kind: 'offload';
  readonly ns: Netns;
  readonly link: string;
  readonly transmit: boolean;
}

const offload: Kind<OffloadObject> = {
  ...onLink,
  key: (o) => `${o.ns} ${o.link}`,
  mark: 'none',
  open: 'openSysctl',
  close: 'closeSysctl',
  print: (_, o) => `${within(o.ns)}ethtool -K ${o.link} tx ${o.transmit ? 'on' : 'off'}`,
};

export const NETLINK = {
  netns,
  link,
  address,
  route,
  neighbour,
  fdb,
  wireguardPeer,
  sysctl,
  foreign,
  offload,
};
