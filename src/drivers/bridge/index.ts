/** The bridge driver: one Linux bridge a network, one veth pair an endpoint. */
import type { Driver } from '../contract.js';
import { hostSources } from '../host-end.js';
import { endpoint } from './endpoint.js';
import { suspensions } from './fastpath.js';
import { network } from './network.js';
import { bridgeName, bridgeOf, bridgeSettings, gatewayModes, readOptions } from './settings.js';
import { validate } from './validate.js';

export const bridge: Driver = {
  name: 'bridge',
  scope: 'local',
  capabilities: { interfaces: true, hostEnd: true, mac: true, ports: true, addresses: true },
  gateways(request) {
    const { modes, inhibitIpv4 } = readOptions(request);
    // Nobody would answer on it: no address on the bridge, and no default route that needs one.
    const ipv4 = modes[4] !== 'isolated' && !(inhibitIpv4 && request.internal);
    return { ipv4, ipv6: modes[6] !== 'isolated' };
  },
  leadsOut({ options }) {
    const modes = gatewayModes(options);
    return { ipv4: modes[4] !== 'isolated', ipv6: modes[6] !== 'isolated' };
  },
  standsOn: ({ options }) => bridgeName(options),
  opensPorts(network) {
    const modes = gatewayModes(network.options);
    return {
      ipv4: network.ipv4 && !network.internal && modes[4] === 'routed',
      ipv6: network.ipv6 && !network.internal && modes[6] === 'routed',
    };
  },
  onInterface: bridgeOf,
  validate,
  hostInterface: ({ network, host }) => bridgeSettings(network, host).bridge,
  sources: ({ network, host }) => hostSources(network, bridgeSettings(network, host)),
  suspends: suspensions,
  network,
  endpoint,
};
