/** Networks as `network ls` and `network inspect` read them. Pure. */
import type { Endpoint } from '../../model/endpoint.js';
import type { IpamConfig, Network } from '../../model/network.js';

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
      // Docker shows null for its own networks, for which nobody gave options.
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
export const presentAttachments = (endpoints: readonly Endpoint[]): Record<string, unknown> =>
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

export const presentNetworkInspect = (
  network: Network,
  endpoints: readonly Endpoint[],
): Record<string, unknown> => ({
  ...presentNetwork(network),
  Containers: presentAttachments(endpoints),
});
