/** A driver is a total, pure function from a view of the model to the kernel objects that must exist. */
import type { Balancer } from '../model/balancer.js';
import type { Endpoint, Sandbox } from '../model/endpoint.js';
import type { Family, Network, Overlay } from '../model/network.js';
import type { Peer, Vtep } from '../model/peer.js';
import type { KernelObject } from '../plan/objects.js';

/** Facts about the host and the daemon's configuration that drivers may depend on. */
export interface HostView {
  /** `--mtu`, 0: the driver's default (1500) */
  readonly mtu: number;
  /** `--ip-forward`, `--ip-masq`, `--icc` */
  readonly ipForward: boolean;
  readonly ipMasquerade: boolean;
  readonly icc: boolean;
  /** default address for publishing, `--ip` */
  readonly hostIp: string;
  /** the host kernel has IPv6 */
  readonly ipv6: boolean;
  /** what Open vSwitch forwards with where nobody says: the kernel's module, or (also where absent) its own process */
  readonly ovsDatapath?: 'system' | 'netdev';
}

/** What carries a network's packets from host to host. */
export interface Wire {
  /** bytes; 0: not known */
  readonly mtu: number;
  /** of the hosts' addresses */
  readonly family: Family;
}

/** What a network that spans hosts asks them to agree on. */
export interface OverlayWish extends Omit<Overlay, 'vni'> {
  /** one of these identifiers; empty: whichever is free */
  readonly vnis: readonly number[];
  /** to whoever makes it; empty: nothing */
  readonly warning: string;
}

/** How this host takes part in a network that spans several. */
export interface OverlayPlace {
  /** bare address by which other hosts reach this one; absent: it is in no cluster (any more) */
  readonly address?: string;
  /** this host's public key (`Tunnel`); absent: it takes no part in encrypted networks */
  readonly key?: string;
  /** as `Vtep` has it; absent: it has none (yet) */
  readonly number?: number;
  /** a container of this host is on the network, or all hosts publish ports by it */
  readonly attached: boolean;
}

export interface NetworkView {
  readonly host: HostView;
  readonly network: Network;
  /** absent: the network is on this host alone */
  readonly place?: OverlayPlace;
}

export interface PeerView extends NetworkView {
  readonly peer: Peer;
}

/** Another host of the cluster, which may have nothing on the network. */
export interface VtepView extends NetworkView {
  readonly vtep: Vtep;
}

export interface BalancerView extends NetworkView {
  readonly balancer: Balancer;
}

export interface EndpointView extends NetworkView {
  readonly endpoint: Endpoint;
  readonly sandbox: Sandbox;
}

interface DriverCapabilities {
  /** containers get an interface of their own (false: host, null) */
  readonly interfaces: boolean;
  /** an interface has its other end on the host (a veth pair), called `Endpoint.hostIfname` */
  readonly hostEnd: boolean;
  /** an interface has a MAC of its own (false: ipvlan, whose interfaces all have the parent's) */
  readonly mac: boolean;
  /** the driver can publish ports */
  readonly ports: boolean;
  /** IPAM pools are wanted */
  readonly addresses: boolean;
  /** a network may have neither IPv4 nor IPv6: whoever is on it has addresses from elsewhere on the wire */
  readonly addressless?: true;
}

/** What of a network is known before its addresses are. */
export type NetworkOptions = Pick<Network, 'options' | 'internal'> & { readonly ingress?: boolean };

export interface Driver {
  readonly name: string;
  readonly scope: 'local' | 'global';
  readonly capabilities: DriverCapabilities;
  /**
   * For which families a network of these options needs a gateway address of its own where the user named none. Throws
   * what `validate` would throw of the options alone, before any address is taken.
   */
  gateways(request: NetworkOptions): { readonly ipv4: boolean; readonly ipv6: boolean };
  /**
   * Name of the host's interface that the network is to lie on, made for it or not, by its record alone. Never throws. Networks of
   * the driver on different ones are in each other's way by their pools at most. Absent: whether two are is seen from both.
   */
  onInterface?(network: Pick<Network, 'id' | 'options'>): string;
  /**
   * Checks options and combination with what exists; throws ViaductError with moby's status and message.
   * `others`: at least those that may be in its way (`Model.mayClash`). Pure: same input, same answer.
   */
  validate(network: Network, others: readonly Network[], host: HostView): void;
  /** Checks what a user asks of an endpoint of this driver by driver options; throws ViaductError. Absent: takes all. */
  checkEndpoint?(driverOptions: Readonly<Record<string, string>>): void;
  /**
   * For which families an endpoint can be its container's way out, so that it may be chosen for the default route; it may
   * be chosen without any router being known. Absent: for both. Never asked of internal networks.
   */
  leadsOut?(request: NetworkOptions): { readonly ipv4: boolean; readonly ipv6: boolean };
  /**
   * For which families published ports are open at a container's own address, taking no port of the host, whether or not
   * the network is the container's way out. Absent: for none.
   */
  opensPorts?(network: Network): { readonly ipv4: boolean; readonly ipv6: boolean };
  /**
   * Does a sandbox out of which no endpoint leads get a gateway endpoint (docker_gwbridge) for the sake of this one? Absent:
   * no. Never asked of internal networks.
   */
  needsGateway?(endpoint: Endpoint): boolean;
  /**
   * Name of a bridge that the user gave: where it is there already, the network stands on it (`Network.adopted`). Absent or
   * undefined: the network's interfaces are all made for it.
   */
  standsOn?(request: NetworkOptions): string | undefined;
  /**
   * Name of the host's own interface on the network, which has the network's addresses there: the bridge. Absent or
   * undefined: the host has none.
   */
  hostInterface?(view: NetworkView): string | undefined;
  /** Addresses, bare, that the network's containers leave the host with where the user chose them. Absent: none. */
  sources?(view: NetworkView): readonly string[];
  /** What of a network's options is not done for it, or for some of its endpoints, and why: to people. Absent: all is done. */
  suspends?(view: NetworkView, endpoints: () => readonly EndpointView[]): readonly string[];
  /**
   * What several networks of the driver use together (an 802.1q sub-interface, an Open vSwitch bridge), from all of them:
   * it goes with the last network that asks for it. Objects that two drivers name by the same key must be equal. Part of
   * slice `host`.
   */
  shared?(networks: readonly Network[], host: HostView): readonly KernelObject[];
  /** slice `network/<id>` */
  network(view: NetworkView): readonly KernelObject[];
  /** Present where networks span the hosts of a cluster. Throws what `validate` would throw of the options alone. */
  wish?(request: NetworkOptions, wire: Wire): OverlayWish;
  /** slice `peer/<network>/<host>`: how its containers are reached. Absent: networks are on this host alone. */
  peer?(view: PeerView): readonly KernelObject[];
  /** Part of slice `vtep/<host>`: how the host itself is reached on the network. Absent: hosts are on no network. */
  vtep?(view: VtepView): readonly KernelObject[];
  /** slice `balancer/<network>/<service>`: what all hosts publish of a service. Absent: nothing. */
  balancer?(view: BalancerView): readonly KernelObject[];
  /** Of all hosts of the cluster, this one too, and all networks: what leads between them and guards the way. Part of slice `host`. */
  between?(networks: readonly NetworkView[], hosts: readonly Vtep[]): readonly KernelObject[];
  /** slice `endpoint/<id>`: link, addresses, sysctls, elements, published ports; routes of the sandbox that lead through it */
  endpoint(view: EndpointView): readonly KernelObject[];
}
