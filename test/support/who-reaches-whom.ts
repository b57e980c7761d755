/**
 * Who may reach whom, from the users' documentation of networks and ports and the records alone: neither drivers, nor the firewall's
 * elements, nor plans have a part in it. Of a container the network namespace is named, of others `host` and `lan`, a neighbour of
 * the host's on the wire.
 */
import type { Model } from '../../src/engine/commit/model.js';
import type { Balancer } from '../../src/model/balancer.js';
import type { Endpoint, Sandbox } from '../../src/model/endpoint.js';
import type { Family, Network } from '../../src/model/network.js';
import type { PortBinding, Protocol } from '../../src/model/port.js';
import { ADDRESSES, THEIRS, WIRE } from './machine/host.js';
import { HOST_PORTS } from './machine/way.js';
import { bare, familyOf, isIn } from './machine/world.js';

type Records = Pick<Model, 'networks' | 'endpoints' | 'sandboxes' | 'tables'>;

/** One end of a network: the container, and what it has there. */
interface Member {
  readonly endpoint: Endpoint;
  readonly network: Network;
  readonly sandbox: Sandbox;
}

const OPTION = {
  icc: 'com.docker.network.bridge.enable_icc',
  inhibit: 'com.docker.network.bridge.inhibit_ipv4',
  trusted: 'com.docker.network.bridge.trusted_host_interfaces',
  mode: {
    4: 'com.docker.network.bridge.gateway_mode_ipv4',
    6: 'com.docker.network.bridge.gateway_mode_ipv6',
  },
} as const;

const isLoopback = (address: string): boolean => address === '127.0.0.1' || address === '::1';

const isTrue = (text: string | undefined, otherwise: boolean): boolean =>
  text === undefined ? otherwise : text === 'true';

const has = ({ ipv4, ipv6 }: Network, family: Family): boolean => (family === 4 ? ipv4 : ipv6);
const addressOf = ({ ipv4, ipv6 }: Endpoint, family: Family): string | undefined => {
  const address = family === 4 ? ipv4 : ipv6;
  return address && bare(address);
};

/** A network that the host routes: how, and whether at all. */
const modeOf = ({ driver, options }: Network, family: Family): string | undefined => {
  if (driver === 'bridge') return options[OPTION.mode[family]] ?? 'nat';
  const mode = driver === 'ovs' ? (options.gateway_mode ?? 'nat') : 'none';
  return mode === 'none' ? undefined : mode;
};

/** The address of the family that the host itself has on the network. */
const gatewayOn = (network: Network, family: Family): string | undefined => {
  const mode = modeOf(network, family);
  const inhibited = family === 4 && isTrue(network.options[OPTION.inhibit], false);
  if (!has(network, family) || mode === undefined || mode === 'isolated' || inhibited) return undefined;
  return network.pools.find((pool) => pool.family === family)?.gateway;
};

/** What is published on such a network is open at the container's own address alone. */
const isRouted = (network: Network, family: Family): boolean =>
  has(network, family) && modeOf(network, family) === 'routed';

/** Nothing leaves the network by the host, and nothing enters. */
const isClosed = (network: Network, family: Family): boolean =>
  network.internal || !has(network, family) || modeOf(network, family) === 'isolated';

/** Containers on one network, by their addresses there. */
const mayTalk = (from: Member, to: Member, family: Family, protocol: Protocol, port: number): boolean => {
  const { driver, options } = from.network;
  if (driver === 'macvlan') return (options.macvlan_mode ?? 'bridge') === 'bridge';
  if (driver === 'ipvlan') return (options.ipvlan_flag ?? 'bridge') === 'bridge';
  if (driver === 'ovs') return isTrue(options.icc, true);
  if (driver !== 'bridge') return false;
  const address = addressOf(to.endpoint, family);
  const linked = from.endpoint.linkedTo.some(
    (link) => link.address === address && link.protocol === protocol && link.port === port,
  );
  return isTrue(options[OPTION.icc], true) || linked;
};

const covers = (first: number, { protocol, count }: PortBinding, asked: Protocol, port: number): boolean =>
  protocol === asked && first <= port && port < first + count;

export class View {
  readonly #members: readonly Member[];
  constructor(records: Records) {
    this.#members = [...records.endpoints.values()].flatMap((endpoint) => {
      const network = records.networks.get(endpoint.networkId);
      const sandbox = records.sandboxes.get(endpoint.sandboxId ?? '');
      return network && sandbox?.mode === 'private' ? [{ endpoint, network, sandbox }] : [];
    });
    this.#networks = [...records.networks.values()];
    this.#services = [...records.tables.balancer.records.values()];
  }
  readonly #networks: readonly Network[];
  readonly #services: readonly Balancer[];

  /** Whose program answers a call from the container, the host or its neighbour; undefined: nobody's. */
  reach(from: string, destination: string, port: number, protocol: Protocol): string | undefined {
    const family = familyOf(destination);
    const own = this.#members.filter(({ sandbox }) => sandbox.netns === from);
    if (from !== 'host' && isLoopback(destination)) return from;
    if (own.some(({ endpoint }) => addressOf(endpoint, family) === destination)) return from;
    const service = this.#services.find(
      ({ vip4, vip6, networkId }) =>
        (family === 4 ? vip4 : vip6) === destination && own.some(({ network }) => network.id === networkId),
    );
    if (service) {
      const [first] = service.backends.flatMap(({ ipv4, ipv6 }) => (family === 4 ? ipv4 : ipv6) ?? []);
      return first === undefined ? undefined : this.reach(from, first, port, protocol);
    }
    const near = own.find(({ network }) => this.#isOn(network, destination));
    const entry = near ?? this.#wayOut(own, family);
    const to = this.#members.find(({ endpoint }) => addressOf(endpoint, family) === destination);
    if (to && near) return mayTalk(near, to, family, protocol, port) ? to.sandbox.netns : undefined;
    if (from !== 'host' && from !== 'lan' && !entry) return undefined;
    if (to) return this.#byRouting(from, entry, to, family, protocol, port);
    if (destination === ADDRESSES.lan[family])
      return from === 'lan' || this.#leaves(from, entry, family) ? 'lan' : undefined;
    return this.#isHosts(destination) ? this.#atHost(from, entry, destination, port, protocol) : undefined;
  }

  #isOn(network: Network, address: string): boolean {
    return network.pools.some(({ subnet }) => isIn(subnet, address));
  }

  #wayOut(own: readonly Member[], family: Family): Member | undefined {
    const member = own.find(
      ({ sandbox, endpoint }) => (family === 4 ? sandbox.gateway4 : sandbox.gateway6) === endpoint.id,
    );
    return member && gatewayOn(member.network, family) !== undefined ? member : undefined;
  }

  #leaves(from: string, entry: Member | undefined, family: Family): boolean {
    return from === 'host' || (entry !== undefined && !isClosed(entry.network, family));
  }

  #isHosts(address: string): boolean {
    const family = familyOf(address);
    return (
      isLoopback(address) ||
      address === ADDRESSES.host[family] ||
      address === bare(THEIRS.address) ||
      this.#networks.some((network) => gatewayOn(network, family) === address)
    );
  }

  /** To a container's own address, from where it is not at home. */
  #byRouting(
    from: string,
    entry: Member | undefined,
    to: Member,
    family: Family,
    protocol: Protocol,
    port: number,
  ): string | undefined {
    const { network, endpoint, sandbox } = to;
    if (gatewayOn(network, family) === undefined) return undefined;
    if (from === 'host') return sandbox.netns;
    if ((from !== 'lan' && !this.#leaves(from, entry, family)) || isClosed(network, family)) return undefined;
    const mode = modeOf(network, family);
    const trusted = (network.options[OPTION.trusted] ?? '').split(':');
    const opened = endpoint.bindings.some(
      (binding) =>
        familyOf(binding.hostIp) === family && covers(binding.containerPort, binding, protocol, port),
    );
    const lets =
      mode === 'nat-unprotected' ||
      (mode === 'routed' && opened) ||
      (from === 'lan' && trusted.includes(WIRE));
    return lets ? sandbox.netns : undefined;
  }

  /** At one of the host's addresses. */
  #atHost(
    from: string,
    entry: Member | undefined,
    address: string,
    port: number,
    protocol: Protocol,
  ): string | undefined {
    const family = familyOf(address);
    const closed = entry !== undefined && from !== 'host' && isClosed(entry.network, family);
    const published = this.#published(from, address, port, protocol);
    if (published) return closed ? undefined : published;
    if (closed && address !== gatewayOn(entry.network, family)) return undefined;
    if (port === HOST_PORTS.api) return from === 'host' || from === 'lan' ? 'host' : undefined;
    return port === HOST_PORTS.ssh ? 'host' : undefined;
  }

  /** A neighbour reaches what is published on one address by the interface that has it alone. */
  #published(from: string, address: string, port: number, protocol: Protocol): string | undefined {
    const family = familyOf(address);
    const any = family === 4 ? '0.0.0.0' : '::';
    const named = from !== 'lan' || address === ADDRESSES.host[family];
    // Where the host has no address nothing is published, and the port may be another container's.
    const publishing = this.#members.filter(
      ({ network }) => gatewayOn(network, 4) !== undefined || gatewayOn(network, 6) !== undefined,
    );
    const all = publishing.flatMap((member) =>
      member.endpoint.bindings
        .filter(({ hostIp, hostPort }) => hostPort > 0 && !isRouted(member.network, familyOf(hostIp)))
        .map((binding) => ({ member, binding, first: binding.hostPort })),
    );
    const found =
      all.find((p) => named && p.binding.hostIp === address && covers(p.first, p.binding, protocol, port)) ??
      all.find((p) => p.binding.hostIp === any && covers(p.first, p.binding, protocol, port));
    if (!found) return undefined;
    const { endpoint, sandbox, network } = found.member;
    const direct = addressOf(endpoint, family) !== undefined && address !== '::1';
    // One family's to a container of the other, and ::1, are carried by the daemon itself, TCP alone.
    if (!direct && protocol !== 'tcp') return undefined;
    const carried: Family = endpoint.ipv6 && family === 6 ? 6 : endpoint.ipv4 ? 4 : 6;
    return gatewayOn(network, direct ? family : carried) === undefined ? undefined : sandbox.netns;
  }
}
