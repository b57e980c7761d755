/**
 * The kinds of objects that the daemon itself holds (ports, resolvers): what a plan must know of each. They are
 * closed; no namespace and no interface takes them along.
 */
import type { Protocol } from '../../model/port.js';
import type { Netns } from '../link-objects.js';
import type { Kind } from './kind.js';

/** Host ports that the daemon holds by binding them: `port … port+count-1`. */
export interface HostPortObject {
  readonly kind: 'hostport';
  readonly protocol: Protocol;
  readonly address: string;
  readonly port: number;
  readonly count: number;
  /** where a relay sends what NAT cannot carry (`::1`, IPv6 to an IPv4-only container): bare address and first port */
  readonly target: { readonly address: string; readonly port: number };
}

/** Old UDP flows would keep going where the port led before (KERNEL.md): at a plan's end the kernel has to forget them. */
export const movesFlows = ({ protocol }: HostPortObject): boolean => protocol === 'udp';

const hostport: Kind<HostPortObject> = {
  key: (o) => `${o.protocol} ${o.address} ${o.port}+${o.count}`,
  mark: 'own',
  open: 'openHostport',
  close: 'closeHostport',
  print: (op, o) => {
    const address = o.address.includes(':') ? `[${o.address}]` : o.address;
    const ports = o.count > 1 ? `${o.port}-${o.port + o.count - 1}` : `${o.port}`;
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
