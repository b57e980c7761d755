/** Networks as `network ls` and `network inspect` read them. Pure. */
import type { Endpoint } from '../../model/endpoint.js';
import type { IpamConfig, Network } from '../../model/network.js';
import type { AddressCount } from '../../model/pool.js';

export function presentNetwork(network: Network): Record<string, unknown> {
  return {
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
    Ingress: false,
    ConfigFrom: { Network: network.configFrom },
    ConfigOnly: network.configOnly,
    Options: network.options,
    Labels: network.labels,
  };
}

const presentIpamConfig = (config: IpamConfig): Record<string, unknown> => ({
  ...(config.subnet === undefined ? {} : { Subnet: config.subnet }),
  ...(config.range === undefined ? {} : { IPRange: config.range }),
  ...(config.gateway === undefined ? {} : { Gateway: config.gateway }),
  ...(config.auxiliary === undefined || Object.keys(config.auxiliary).length === 0
    ? {}
    : { AuxiliaryAddresses: config.auxiliary }),
});

/** The endpoints of a network by container. */
const presentAttachments = (endpoints: readonly Endpoint[]): Record<string, unknown> =>
  Object.fromEntries(
    endpoints.map((endpoint) => [
      endpoint.containerId,
      {
        Name: endpoint.containerName,
        EndpointID: endpoint.id,
        MacAddress: endpoint.mac,
        IPv4Address: endpoint.ipv4 ?? '',
        IPv6Address: endpoint.ipv6 ?? '',
      },
    ]),
  );

/** Docker's fields hold 64 bits. */
const MOST = 2n ** 64n - 1n;
const atMost = (count: bigint): bigint => (count > MOST ? MOST : count);

/** Since API 1.52. Its numbers are too wide for JavaScript's: for `wideJson`. */
export const presentNetworkStatus = (
  addresses: ReadonlyMap<string, AddressCount>,
): Record<string, unknown> => ({
  Status: {
    IPAM: {
      Subnets: Object.fromEntries(
        [...addresses].map(([subnet, { inUse, available }]) => [
          subnet,
          { IPsInUse: atMost(inUse), DynamicIPsAvailable: atMost(available) },
        ]),
      ),
    },
  },
});

export const presentNetworkInspect = (
  network: Network,
  endpoints: readonly Endpoint[],
): Record<string, unknown> => ({
  ...presentNetwork(network),
  Containers: presentAttachments(endpoints),
});
