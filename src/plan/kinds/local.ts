/**
 * The kinds of objects that the daemon itself holds (ports, resolvers): what a plan must know of each. They are
 * closed; no namespace and no interface takes them along.
 */
import type { Protocol } from '../../model/port.js';
import { same } from '../equal.js';
import type { Netns } from '../link-objects.js';
import type { Kind } from './kind.js';
import { hostOf, type PortPair, samePairs } from './published.js';

/** Host ports that the daemon holds by binding them: `port … port+count-1`, or many in no order (TCP). */
export interface HostPortObject {
  readonly kind: 'hostport';
  readonly protocol: Protocol;
  readonly address: string;
  readonly port: number;
  readonly count: number;
  /** those in no order, ascending: `port` is the lowest of `count`, and each has a target port of its own */
  readonly scattered?: readonly PortPair[];
  /** on every address of one family, and so are the same ports of the other: one socket may hold both. Not part of its state. */
  readonly paired?: true;
  /** where a relay sends what NAT cannot carry (`::1`, IPv6 to an IPv4-only container): bare address and first port */
  readonly target: { readonly address: string; readonly port: number };
  /** all nodes of a swarm publish it: a container of this one may have had it before, and it is another object than that one's */
  readonly everywhere?: true;
}

/** The port at a place from 0 to `count - 1`. */
export const portAt = (
  { port, scattered }: Pick<HostPortObject, 'port' | 'scattered'>,
  at: number,
): number => (scattered ? hostOf(scattered[at] ?? 0) : port + at);

/** Old UDP flows would keep going where the port led before (KERNEL.md): at a plan's end the kernel has to forget them. */
export const movesFlows = ({ protocol }: HostPortObject): boolean => protocol === 'udp';

const NO_STATE = { scattered: undefined, paired: undefined };

const hostport: Kind<HostPortObject> = {
  key: (o) =>
    `${o.protocol} ${o.address} ${o.port}+${o.count}${o.everywhere ? ' everywhere' : ''}${o.scattered ? ` to ${o.target.address}` : ''}`,
  mark: 'own',
  open: 'openHostport',
  close: 'closeHostport',
  same: (a, b) => same({ ...a, ...NO_STATE }, { ...b, ...NO_STATE }) && samePairs(a.scattered, b.scattered),
  print: (op, o) => {
    const address = o.address.includes(':') ? `[${o.address}]` : o.address;
    const last = portAt(o, o.count - 1);
    const ports = `${o.count > 1 ? `${o.port}-${last}` : o.port}${o.scattered ? ` (${o.count} ports)` : ''}`;
    return `${op === 'delete' ? 'release' : 'hold'} ${o.protocol} ${address}:${ports}`;
  },
  note: (o) => (movesFlows(o) ? 'its old flows are forgotten at the end' : undefined),
};

/** The embedded resolver's sockets in one sandbox, with the redirect from 127.0.0.11:53. */
export interface ResolverObject {
  readonly kind: 'resolver';
  readonly ns: Netns;
  readonly sandboxId: string;
}

const resolver: Kind<ResolverObject> = {
  key: ({ ns }) => ns,
  mark: 'own',
  open: 'openResolver',
  close: 'closeResolver',
  print: (op, { ns }) => `${op === 'delete' ? 'close' : 'open'} resolver in ${ns}`,
};

export const LOCAL = { hostport, resolver };
