/** The Open vSwitch driver: one OVS bridge a network or a named one for several, one veth pair an endpoint. */
import type { Driver } from '../contract.js';
import { hostSources } from '../host-end.js';
import { endpoint } from './endpoint.js';
import { network, shared } from './network.js';
import { readEndpointOptions, readOptions } from './options.js';
import { ovsSettings } from './settings.js';
import { validate } from './validate.js';

export const ovs: Driver = {
  name: 'ovs',
  scope: 'local',
  capabilities: { interfaces: true, hostEnd: true, mac: true, ports: true, addresses: true },
  gateways(request) {
    const ours = readOptions(request).gatewayMode !== 'none';
    return { ipv4: ours, ipv6: ours };
  },
  validate,
  checkEndpoint: (options) => void readEndpointOptions(options),
  hostInterface: ({ network, host }) => ovsSettings(network, host).gateway?.bridge,
  sources({ network, host }) {
    const { gateway } = ovsSettings(network, host);
    return gateway ? hostSources(network, gateway) : [];
  },
  shared,
  network,
  endpoint,
};
