/** Networks as `network ls` and `network inspect` read them. Pure. */
import type { Endpoint } from '../../model/endpoint.js';
import type { IpamConfig, Network } from '../../model/network.js';
import type { Peer } from '../../model/peer.js';
import type { AddressCount } from '../../model/pool.js';
import type { Answer } from '../schema/answer.js';

/** Docker's overlay networks show what they were given. */
const VNI_OPTION = 'com.docker.network.driver.overlay.vxlanid_list';

export const presentNetwork = (network: Network): Answer<'NetworkSummary'> => ({
  Name: network.name,
  Id: network.id,
  Created: network.createdAt,
  Scope: network.scope,
  Driver: network.driver,
  EnableIPv4: network.ipv4,
  EnableIPv6: network.ipv6,
  IPAM: {
    Driver: network.ipam.driver,
    // Nobody gave options to the daemon's own.
    Options: network.predefined ? null : network.ipam.options,
    Config: network.ipam.config.length === 0 ? null : network.ipam.config.map(presentIpamConfig),
  },
  Internal: network.internal,
  Attachable: network.attachable,
  Ingress: network.ingress === true,
  ConfigFrom: { Network: network.configFrom },
  ConfigOnly: network.configOnly,
  Options: network.overlay
    ? { ...network.options, [VNI_OPTION]: String(network.overlay.vni) }
    : network.options,
  Labels: network.labels,
});

const presentIpamConfig = ({ subnet, range, gateway, auxiliary }: IpamConfig): Answer<'IPAMConfig'> => ({
  Subnet: subnet,
  IPRange: range,
  Gateway: gateway,
  AuxiliaryAddresses: Object.keys(auxiliary ?? {}).length === 0 ? undefined : auxiliary,
});

/** The endpoints of a network by container; those of other hosts, as moby has them, by their own ids. */
const presentAttachments = (
  endpoints: readonly Endpoint[],
  peers: readonly Peer[],
): Readonly<Record<string, Answer<'EndpointResource'>>> =>
  Object.fromEntries(
    [
      ...endpoints.map((endpoint) => [endpoint.containerId, endpoint] as const),
      ...peers.flatMap((peer) => peer.endpoints.map((endpoint) => [`ep-${endpoint.id}`, endpoint] as const)),
    ].map(([key, endpoint]): [string, Answer<'EndpointResource'>] => [
      key,
      {
        Name: endpoint.containerName,
        EndpointID: endpoint.id,
        MacAddress: endpoint.mac,
        IPv4Address: endpoint.ipv4 ?? '',
        IPv6Address: endpoint.ipv6 ?? '',
      },
    ]),
  );

/** In a swarm, the nodes that have containers on it. */
const presentPeers = (peers: readonly Peer[]): readonly Answer<'PeerInfo'>[] =>
  peers.map(({ node, address }) => ({ Name: node, IP: address }));

/** Docker's fields hold 64 bits. */
const MOST = 2n ** 64n - 1n;
const atMost = (count: bigint): bigint => (count > MOST ? MOST : count);

/** Its numbers are too wide for JavaScript's: for `wideJson`. */
const presentNetworkStatus = (addresses: ReadonlyMap<string, AddressCount>): Answer<'NetworkStatus'> => ({
  IPAM: {
    Subnets: Object.fromEntries(
      [...addresses].map(([subnet, { inUse, available }]): [string, Answer<'SubnetStatus'>] => [
        subnet,
        { IPsInUse: atMost(inUse), DynamicIPsAvailable: atMost(available) },
      ]),
    ),
  },
});

/** `addresses`: since API 1.52. */
export const presentNetworkInspect = (
  network: Network,
  endpoints: readonly Endpoint[],
  peers: readonly Peer[] = [],
  addresses?: ReadonlyMap<string, AddressCount>,
): Answer<'NetworkInspect'> => ({
  ...presentNetwork(network),
  Containers: presentAttachments(endpoints, network.scope === 'swarm' ? [] : peers),
  Peers: network.scope === 'swarm' ? presentPeers(peers) : undefined,
  Status: addresses && presentNetworkStatus(addresses),
});
