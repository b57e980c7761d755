/** `NetworkDriver.*` of one plugin: requests as libnetwork's remote driver sends them, answers checked. */

import { defined } from '../defined.js';
import { internal } from '../errors.js';
import { parseAddress, parsePrefix } from '../model/address.js';
import type { PluginRoute } from '../model/endpoint.js';
import {
  CREATED_ENDPOINT,
  GATEWAY_CHECK,
  JOINED,
  NETWORK_CAPABILITIES,
  NOTHING,
  ROUTE_TYPE,
} from './answers.js';
import { type Client, StatusError } from './client.js';
import type { Joined, NetworkPlugin, PluginInterface } from './contract.js';

interface Route {
  readonly Destination?: string | undefined;
  readonly RouteType: number;
  readonly NextHop?: string | undefined;
}

const staticRoute = ({ Destination, RouteType, NextHop }: Route): PluginRoute => {
  if (Destination === undefined)
    throw internal('remote driver answered a static route without a destination');
  if (RouteType === ROUTE_TYPE.connected) return { destination: Destination };
  if (NextHop === undefined)
    throw internal(`remote driver answered no next hop for the route to ${Destination}`);
  if (parseAddress(NextHop)?.family !== parsePrefix(Destination)?.family)
    throw internal(`remote driver answered next hop ${NextHop} for the route to ${Destination}`);
  return { destination: Destination, via: NextHop };
};

/** One route a destination: the kernel would refuse the second, and the container would not start. */
const distinct = (routes: readonly PluginRoute[]): readonly PluginRoute[] => [
  ...new Map(routes.map((route) => [route.destination, route])).values(),
];

/** What was given may be repeated, not changed. */
const added = (given: PluginInterface, answered: PluginInterface): PluginInterface => {
  const pick = (what: string, mine: string | undefined, theirs: string | undefined): string | undefined => {
    if (theirs === undefined || theirs === mine) return undefined;
    if (mine !== undefined)
      throw internal(`driver modified interface ${what}: it was ${mine}, the driver answered ${theirs}`);
    return theirs;
  };
  return defined({
    ipv4: pick('address', given.ipv4, answered.ipv4),
    ipv6: pick('address', given.ipv6, answered.ipv6),
    mac: pick('MAC address', given.mac, answered.mac),
  });
};

/** Asks for the capabilities first, as moby does when a driver is activated. */
export const createNetworkPlugin = async ({ call }: Client): Promise<NetworkPlugin> => {
  const capabilities = await call('NetworkDriver.GetCapabilities', undefined, NETWORK_CAPABILITIES);
  return {
    scope: capabilities.Scope,
    async skipsGateways(options) {
      if (!capabilities.GwAllocChecker) return { ipv4: false, ipv6: false };
      const answer = await call('NetworkDriver.GwAllocCheck', { Options: options }, GATEWAY_CHECK);
      return { ipv4: answer.SkipIPv4, ipv6: answer.SkipIPv6 };
    },
    async createNetwork(id, options, ipv4, ipv6) {
      const body = { NetworkID: id, Options: options, IPv4Data: ipv4, IPv6Data: ipv6 };
      await call('NetworkDriver.CreateNetwork', body, NOTHING);
    },
    async createEndpoint(networkId, endpointId, given, options) {
      const asked = {
        Address: given.ipv4 ?? '',
        AddressIPv6: given.ipv6 ?? '',
        MacAddress: given.mac ?? '',
      };
      const body = { NetworkID: networkId, EndpointID: endpointId, Interface: asked, Options: options };
      const { Interface: found } = await call('NetworkDriver.CreateEndpoint', body, CREATED_ENDPOINT);
      return added(
        given,
        defined({ ipv4: found?.Address, ipv6: found?.AddressIPv6, mac: found?.MacAddress }),
      );
    },
    async join(networkId, endpointId, sandboxKey, options): Promise<Joined> {
      const body = { NetworkID: networkId, EndpointID: endpointId, SandboxKey: sandboxKey, Options: options };
      const answer = await call('NetworkDriver.Join', body, JOINED);
      const { SrcName: source, DstPrefix: prefix } = answer.InterfaceName ?? {};
      return {
        ...defined({ source, prefix, gateway4: answer.Gateway, gateway6: answer.GatewayIPv6 }),
        routes: distinct(answer.StaticRoutes.map(staticRoute)),
        disableGateway: answer.DisableGatewayService,
      };
    },
    async programExternalConnectivity(networkId, endpointId, options) {
      const body = { NetworkID: networkId, EndpointID: endpointId, Options: options };
      try {
        await call('NetworkDriver.ProgramExternalConnectivity', body, NOTHING);
      } catch (error) {
        if (!(error instanceof StatusError && error.status === 404)) throw error;
      }
    },
  };
};
