/**
 * The overlay driver: a network that spans the hosts of a cluster, by VXLAN. Which containers are where is data (`model/peer.ts`);
 * whoever keeps the cluster's records brings it.
 */
import { forbidden, invalid } from '../../errors.js';
import { checkPools } from '../checks.js';
import type { Driver } from '../contract.js';
import { checkMtu } from '../sandbox-end.js';
import { between } from './between.js';
import { endpoint } from './endpoint.js';
import { balancer, ingressNetwork, vtep } from './ingress.js';
import { bridgeOf, network, peer } from './network.js';
import { readOptions, wish } from './options.js';

export const overlay: Driver = {
  name: 'overlay',
  scope: 'global',
  capabilities: { interfaces: true, hostEnd: true, mac: true, ports: true, addresses: true },
  // Docker keeps an address for a gateway that is never there; here it is kept too, so that `inspect` says the same on all hosts.
  gateways(request) {
    readOptions(request);
    return { ipv4: true, ipv6: true };
  },
  leadsOut: ({ ingress = false }) => ({ ipv4: ingress, ipv6: ingress }),
  needsGateway: () => true,
  hostInterface: (view) => (view.network.ingress ? bridgeOf(view.network) : undefined),
  validate(network) {
    if (!network.ipv4 && !network.ipv6) throw invalid('IPv4 or IPv6 must be enabled');
    for (const family of [4, 6] as const)
      if (network.pools.filter((pool) => pool.family === family).length > 1)
        throw forbidden("overlay driver doesn't support multiple subnets");
    checkPools(network);
    checkMtu(network, readOptions(network).mtu);
  },
  wish,
  network: (view) => (view.network.ingress ? ingressNetwork(view) : network(view)),
  peer,
  vtep,
  balancer,
  between,
  endpoint,
};
