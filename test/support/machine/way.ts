/**
 * Where a packet ends: the way of a flow's first one through links, bridges, switches, the host's routing and its firewall.
 * A machine's programs answer on every port of a container, on two of the host's, and on the neighbour's on the wire.
 */
import { type Packet, type Place, passes, passesPort } from './rules.js';
import {
  bare,
  everyInterface,
  familyOf,
  type Interface,
  isIn,
  type Namespace,
  namespaceOf,
  prefixOf,
  type Switch,
  switchOf,
  type World,
} from './world.js';

/** A program of the host's own, and the API, of which the firewall is told. */
export const HOST_PORTS = { ssh: 22, api: 2375 } as const;

/** Whose program answers: a namespace's path; undefined: nobody's. */
export type Answer = string | undefined;

const isLoopback = (address: string): boolean => address === '::1' || isIn('127.0.0.0/8', address);

const hasAddress = (link: Interface, address: string): boolean =>
  [...link.addresses].some((each) => bare(each) === address);

const isLocalTo = (ns: Namespace, address: string): boolean =>
  isLoopback(address) || [...ns.interfaces.values()].some((link) => hasAddress(link, address));

interface Hop {
  readonly link: Interface;
  /** whom the link's neighbours are asked for */
  readonly next: string;
}

/** The longest prefix, of subnets that addresses make and of routes. */
const routeTo = (ns: Namespace, destination: string): Hop | undefined => {
  let best: (Hop & { readonly bits: number }) | undefined;
  const consider = (link: Interface, prefix: string, next: string): void => {
    const { bits, family } = prefixOf(prefix);
    if (!link.up || family !== familyOf(destination) || !isIn(prefix, destination)) return;
    if (!best || bits > best.bits) best = { link, next, bits };
  };
  for (const link of ns.interfaces.values())
    for (const address of link.addresses) consider(link, address, destination);
  for (const { link, destination: prefix, via } of ns.routes) consider(link, prefix, via ?? destination);
  return best;
};

const sourceOn = ({ link, next }: Hop): string | undefined => {
  const own = [...link.addresses].filter((address) => familyOf(address) === familyOf(next));
  const [chosen] = [...own.filter((address) => isIn(address, next)), ...own];
  return chosen && bare(chosen);
};

/** The daemon's socket on the host's port. */
const heldFor = ({ ports }: World, { to, port, protocol }: Pick<Call, 'to' | 'port' | 'protocol'>) => {
  const any = to.includes(':') ? '::' : '0.0.0.0';
  const held = [...ports.values()].filter(
    (h) => h.protocol === protocol && h.port <= port && port < h.port + h.count,
  );
  return held.find((h) => bare(h.address) === to) ?? held.find((h) => h.address === any);
};

class Way {
  /** the address and port that the sender named */
  readonly #asked: Pick<Call, 'to' | 'port'>;
  constructor(
    private readonly world: World,
    private readonly packet: Packet,
  ) {
    this.#asked = { to: packet.destination, port: packet.port };
  }

  /** What a namespace's own program sends. */
  from(ns: Namespace): Answer {
    const { packet } = this;
    if (ns.path !== 'host') {
      if (!this.#toService(ns)) return undefined;
      if (isLocalTo(ns, packet.destination)) return ns.path;
      return this.#onwards(ns);
    }
    const place = this.#place('', '');
    if (!passes(this.world, 'inet', 'output', packet, place)) return undefined;
    if (isLocalTo(ns, packet.destination)) return this.#intoHost('lo');
    // To a container from 127.0.0.1: only where the bridge's interface routes such addresses.
    const hop = routeTo(ns, packet.destination);
    if (isLoopback(packet.source) && hop?.link.sysctls.get('net/ipv4/conf/route_localnet') !== '1')
      return undefined;
    return this.#leave(hop, '');
  }

  /** Behind a service's address any of its backends is as good as the first; false: there is none, and it is refused. */
  #toService({ path }: Namespace): boolean {
    const services = this.world.services.get(path)?.services ?? [];
    const service = services.find(({ address }) => address === this.packet.destination);
    const [first] = service?.backends ?? [];
    if (service) this.packet.destination = first ?? '';
    return !service || first !== undefined;
  }

  #place(iif: string, oif: string): Place {
    const host = namespaceOf(this.world, 'host');
    const incoming = host.interfaces.get(iif);
    return {
      iif,
      oif,
      isLocal: (address, onIif) => {
        if (!onIif || iif === 'lo') return isLocalTo(host, address);
        return incoming !== undefined && hasAddress(incoming, address);
      },
    };
  }

  #onwards(ns: Namespace): Answer {
    const hop = routeTo(ns, this.packet.destination);
    return hop && this.#send(hop.link, hop.next);
  }

  /** Out of the host by what routing says. */
  #leave(hop: Hop | undefined, iif: string): Answer {
    if (!hop) return undefined;
    const place = this.#place(iif, hop.link.name);
    if (iif !== '' && !passes(this.world, 'inet', 'forward', this.packet, place)) return undefined;
    passes(this.world, 'inet', 'postrouting', this.packet, place);
    return this.#send(hop.link, hop.next);
  }

  #intoHost(iif: string): Answer {
    const { packet, world } = this;
    if (!passes(world, 'inet', 'input', packet, this.#place(iif, ''))) return undefined;
    if (packet.translated) return this.#relayed();
    return packet.port === HOST_PORTS.ssh || packet.port === HOST_PORTS.api ? 'host' : undefined;
  }

  /** The daemon's relay connects to where the held port leads that its client named. */
  #relayed(): Answer {
    const { protocol } = this.packet;
    const { to, port } = this.#asked;
    const found = heldFor(this.world, { to, port, protocol });
    if (!found) return undefined;
    const { address, port: first } = found.target;
    return reach(this.world, { from: 'host', to: address, port: first + port - found.port, protocol });
  }

  /** Out of an interface, to the neighbour who has the address there. */
  #send(link: Interface, next: string): Answer {
    if (!link.up) return undefined;
    if (link.peer) return this.#receive(link.peer, next);
    if (link.type === 'bridge') return this.#toPort(link, undefined, next);
    if (link.type === 'ovs') return this.#switched(link, next);
    if (link.type === 'vlan' && link.lower) return undefined; // nobody is on the wire's VLANs
    if (link.lower) return this.#sibling(link, link.lower, next);
    return undefined;
  }

  /** On a parent: others that lie on it, as their mode lets them; a frame for the wire is nobody's here. */
  #sibling(link: Interface, lower: Interface, next: string): Answer {
    if (!lower.up || !link.mode.includes('bridge')) return undefined;
    const other = everyInterface(this.world).find(
      (each) => each.lower === lower && each !== link && each.up && hasAddress(each, next),
    );
    return other && this.#arrive(other.ns);
  }

  /** A frame comes in by an interface: first its own chain, then whoever takes its frames, then the host's or container's stack. */
  #receive(link: Interface, next: string): Answer {
    if (!link.up) return undefined;
    if (link.ns.path !== 'host') return hasAddress(link, next) ? this.#arrive(link.ns) : undefined;
    const past = this.#past(link, next);
    if (past) return this.#receive(past, next);
    if (!passesPort(this.world, link.name, this.packet)) return undefined;
    if (switchOf(this.world, link)) return this.#switched(link, next);
    if (link.master) return this.#bridged(link.master, link, next);
    return hasAddress(link, next) ? this.#intoStack(link.name) : undefined;
  }

  /** Whom the program on the port finds for the frame, where it is the port's own container's and nothing but that. */
  #past({ name }: Interface, next: string): Interface | undefined {
    const { packet, world } = this;
    const from = world.shortcuts.get(name);
    const own = packet.source.includes(':') ? from?.ipv6 : from?.ipv4;
    if (!from || own !== packet.source || from.mac !== packet.sourceMac) return undefined;
    const ports = [...world.shortcuts.values()].filter((to) => to !== from && to.bridge === from.bridge);
    const peers = ports.map(({ link }) => namespaceOf(world, 'host').interfaces.get(link)?.peer);
    return peers.find((peer) => peer && hasAddress(peer, next));
  }

  #arrive(ns: Namespace): Answer {
    return isLocalTo(ns, this.packet.destination) ? ns.path : undefined;
  }

  #bridged(bridge: Interface, port: Interface, next: string): Answer {
    if (!bridge.up) return undefined;
    if (hasAddress(bridge, next)) return this.#intoStack(bridge.name);
    return this.#toPort(bridge, port, next);
  }

  /** Out of the bridge's port behind which the address is; `from`: the port that it came by. */
  #toPort(bridge: Interface, from: Interface | undefined, next: string): Answer {
    const out = everyInterface(this.world).find(
      (port) =>
        port.master === bridge && port.up && port !== from && port.peer && hasAddress(port.peer, next),
    );
    if (!out?.peer) return undefined;
    if (from?.isolated && out.isolated) return undefined;
    const place = { iif: from?.name ?? '', oif: out.name, isLocal: () => false };
    if (from && !passes(this.world, 'bridge', 'forward', this.packet, place)) return undefined;
    return this.#receive(out.peer, next);
  }

  /** By the flows of the switch, then as a switch that has learned where every address is. */
  #switched(link: Interface, next: string): Answer {
    const found = switchOf(this.world, link);
    if (!found || !flows(found, link.name, this.packet)) return undefined;
    const out = everyInterface(this.world).find(
      (port) =>
        port !== link &&
        port.up &&
        switchOf(this.world, port) === found &&
        hasAddress(port.peer ?? port, next),
    );
    if (!out || !sharesVlan(found, link, out)) return undefined;
    if (out.type === 'ovs') return this.#intoStack(out.name);
    return out.peer && this.#receive(out.peer, next);
  }

  /** The host's own stack, to which a frame was addressed. */
  #intoStack(iif: string): Answer {
    const { packet, world } = this;
    const host = namespaceOf(world, 'host');
    if (!passes(world, 'inet', 'prerouting', packet, this.#place(iif, ''))) return undefined;
    if (isLocalTo(host, packet.destination)) return this.#intoHost(iif);
    const forwards =
      familyOf(packet.destination) === 4 ? 'net/ipv4/ip_forward' : 'net/ipv6/conf/all/forwarding';
    if (host.sysctls.get(forwards) !== '1') return undefined;
    return this.#leave(routeTo(host, packet.destination), iif);
  }
}

const ETHER_TYPE = { 4: '0x800', 6: '0x86dd' } as const;
const PROTOCOL = { tcp: '6', udp: '17', sctp: '132' } as const;

/** OpenFlow's rules of highest priority, table by table, until one says that the frame is switched or not. */
const flows = ({ made, flows: all }: Switch, inPort: string, packet: Packet): boolean => {
  const family = familyOf(packet.destination);
  const side = family === 4 ? 'ip' : 'ipv6';
  const fields: Readonly<Record<string, string | undefined>> = {
    in_port: inPort,
    eth_src: packet.sourceMac,
    eth_type: ETHER_TYPE[family],
    ip_proto: PROTOCOL[packet.protocol],
    [`${side}_src`]: packet.source,
    [`${side}_dst`]: packet.destination,
  };
  for (let table = 0; ; ) {
    const [best] = [...all.values()]
      .filter((f) => f.table === table && Object.entries(f.match).every(([k, v]) => fields[k] === v))
      .sort((a, b) => b.priority - a.priority);
    // A bridge that its user named switches by itself what no rule names; ours do nothing without one.
    if (!best) return made.named && table === 0;
    if (best.action === 'drop') return false;
    if (best.action === 'NORMAL') return true;
    table = Number(best.action.slice('goto_table:'.length));
  }
};

const vlanOf = ({ ports }: Switch, { name, vlan }: Interface): number => ports.get(name)?.tag ?? vlan;

const sharesVlan = (found: Switch, a: Interface, b: Interface): boolean => {
  const alone = [a, b].every(({ name }) => found.ports.get(name)?.protected === true);
  return !alone && vlanOf(found, a) === vlanOf(found, b);
};

export interface Call {
  /** the caller's namespace */
  readonly from: string;
  readonly to: string;
  readonly port: number;
  readonly protocol: Packet['protocol'];
  /** the source address, where that is a lie */
  readonly as?: string;
}

/** Who answers when a program calls this address and port, and whether somebody else could hold the host's port that led there. */
export const reach = (world: World, call: Call): Answer => {
  const { from, to: destination, port, protocol } = call;
  const ns = world.namespaces.get(from);
  if (!ns) return undefined;
  const hop = isLocalTo(ns, destination) ? undefined : routeTo(ns, destination);
  const source = call.as ?? (hop ? sourceOn(hop) : destination);
  if (source === undefined) return undefined;
  const sourceMac = hop?.link.mac ?? '';
  const packet = { protocol, sourceMac, source, destination, port, translated: false };
  const answer = new Way(world, packet).from(ns);
  const held = !packet.translated || heldFor(world, call) !== undefined;
  return answer === undefined || held ? answer : `${answer}, by a port that nobody holds`;
};
