/**
 * A swarm's ingress network: by it every node answers on the ports that services publish. Unlike on other overlays the host is on
 * it, with one address on all nodes and a MAC of its own (`macOfNode`), and it is the way out of its containers, as what came by a
 * node has to go back by it. Those speak with nodes alone, and never with each other. Pure.
 */
import { defined } from '../../defined.js';
import { meshObjects, otherNodeElements } from '../../firewall/index.js';
import { bare } from '../../model/address.js';
import type { Balancer } from '../../model/balancer.js';
import { macOfNode } from '../../model/mac.js';
import type { Family, Network, Overlay } from '../../model/network.js';
import type { PortBinding } from '../../model/port.js';
import type { FlowsObject, HostPortObject, KernelObject, NeighbourObject } from '../../plan/objects.js';
import { joinRuns } from '../../plan/port-runs.js';
import type { BalancerView, EndpointView, NetworkView, VtepView } from '../contract.js';
import {
  type HostEnd,
  hostAddresses,
  hostGuards,
  hostPorts,
  hostSysctls,
  portElements,
  routerOf,
} from '../host-end.js';
import { bridgeOf, deafPort, links, vtepOf, vxlanOf } from './network.js';

/** `number`: of this node; undefined where nothing of it matters that depends on it */
export const settingsOf = (network: Network, { mtu }: Overlay, number?: number): HostEnd => ({
  bridge: bridgeOf(network),
  owned: true,
  mtu,
  masquerade: true,
  // Frames of one container to another end at its port. What br_netfilter shows of frames on their way to other nodes passes.
  icc: true,
  ...(number === undefined ? {} : { mesh: macOfNode(number) }),
  inhibitIpv4: false,
  modes: { 4: 'nat', 6: 'nat' },
  snat: {},
  trusted: [],
});

/** Nothing, until the node has its number, and while nothing is published. */
export const ingressNetwork = (view: NetworkView): readonly KernelObject[] => {
  const { network, place } = view;
  const { overlay } = network;
  if (!overlay || !place?.attached || place.number === undefined) return [];
  const settings = settingsOf(network, overlay, place.number);
  return [
    ...links(view, overlay, vtepOf(overlay, place), macOfNode(place.number)),
    ...hostSysctls(view, settings),
    ...deafPort(view, overlay),
    ...hostAddresses(network, settings),
    ...hostGuards(view, settings),
  ];
};

/** Answers to what came by another node leave by it. */
export const vtep = ({ network, place, vtep: other }: VtepView): readonly KernelObject[] => {
  const { overlay, ingress } = network;
  if (!overlay || !ingress || !place?.attached || place.number === undefined) return [];
  const { address, tunnel } = other;
  const [local, destination] = [
    vtepOf(overlay, place),
    vtepOf(overlay, { address, ...defined({ key: tunnel?.key }) }),
  ];
  if (other.own || other.number === undefined || local === undefined || destination === undefined) return [];
  const mac = macOfNode(other.number);
  return [
    { kind: 'fdb', ns: 'host', link: vxlanOf(network), mac, destination },
    ...otherNodeElements(bridgeOf(network), mac),
  ];
};

/** What an endpoint has here that others have not; its link and addresses are as theirs. */
export const ingressEndpoint = (view: EndpointView, overlay: Overlay): readonly KernelObject[] => {
  const { network, endpoint, sandbox, place } = view;
  const { number } = place ?? {};
  const settings = settingsOf(network, overlay, number);
  const ns = sandbox.netns;
  const node = ([4, 6] as const).flatMap((family): readonly NeighbourObject[] => {
    const address = (family === 4 ? endpoint.ipv4 : endpoint.ipv6) && routerOf(network, settings, family);
    return address === undefined || number === undefined
      ? []
      : [{ kind: 'neighbour', ns, link: endpoint.ifname, address, mac: macOfNode(number) }];
  });
  return [
    ...node,
    { kind: 'wayBack', ns, link: endpoint.ifname },
    ...hostPorts(view, settings),
    ...portElements(view, settings),
  ];
};

const ANY = { 4: '0.0.0.0', 6: '::' } as const;

/** In runs, on every address of the families that the host has. */
const bindingsOf = ({ balancer, host }: BalancerView): readonly PortBinding[] =>
  joinRuns(
    (host.ipv6 ? ([4, 6] as const) : ([4] as const)).flatMap((family) =>
      balancer.ports.map(({ protocol, publishedPort: hostPort, targetPort: containerPort }) => ({
        protocol,
        hostIp: ANY[family],
        hostPort,
        containerPort,
        count: 1,
      })),
    ),
  );

/** A relay calls the port anew at the node's own address on the network. */
const held = (bindings: readonly PortBinding[], address: string): readonly HostPortObject[] =>
  bindings.map(({ protocol, hostIp, hostPort: port, count }) => ({
    kind: 'hostport',
    protocol,
    address: hostIp,
    port,
    count,
    target: { address, port },
    everywhere: true,
  }));

const addressesOf = ({ backends }: Balancer, family: Family): readonly string[] =>
  backends.map(({ ipv4, ipv6 }) => (family === 4 ? ipv4 : ipv6)).filter((address) => address !== undefined);

const flows = (
  { network, balancer }: BalancerView,
  bindings: readonly PortBinding[],
): readonly FlowsObject[] => {
  const { leaving = [] } = balancer;
  const to = [...addressesOf(balancer, 4), ...addressesOf(balancer, 6), ...leaving];
  return bindings
    .filter(({ hostIp }) => hostIp === ANY[4])
    .map(({ protocol, hostPort: port, count }) => ({
      kind: 'flows',
      protocol,
      port,
      count,
      subnets: network.pools.map(({ subnet }) => subnet),
      to,
    }));
};

export const balancer = (view: BalancerView): readonly KernelObject[] => {
  const { network, place, balancer: service } = view;
  const router = network.pools.find(({ gateway }) => gateway !== undefined)?.gateway;
  if (!network.ingress || place?.number === undefined || router === undefined) return [];
  const bindings = bindingsOf(view);
  const of = (family: Family): readonly string[] => addressesOf(service, family);
  return [
    ...held(bindings, bare(router)),
    ...meshObjects({ bindings, backends: { 4: of(4), 6: of(6) } }),
    ...flows(view, bindings),
  ];
};
