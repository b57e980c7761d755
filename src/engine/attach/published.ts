/**
 * Where a container's ports are published that name no address of the host: the network that carries them says so. As
 * networks come and go another may lead out; the ports move there in the same commit and keep their numbers.
 */
import { isIPv4, isIPv6 } from 'node:net';
import type { Container } from '../../model/container.js';
import type { Sandbox } from '../../model/endpoint.js';
import type { Family } from '../../model/network.js';
import type { PortBinding } from '../../model/port.js';
import type { View } from '../view.js';
import { carrierOf, type Gateways, gateways, type Member } from './gateways.js';
import { resolveBindings } from './publish.js';
import { membersOf } from './standing.js';

const HOST_BINDING = 'com.docker.network.bridge.host_binding_ipv4';

/** 0.0.0.0 is, as Docker takes it, every address of both families. */
const inFamily = (address: string, family: Family): readonly string[] => {
  if (family === 4) return isIPv4(address) ? [address] : [];
  return address === '0.0.0.0' ? ['::'] : isIPv6(address) ? [address] : [];
};

/** `fallback`: the daemon's `--ip`, for networks that name no address of their own. */
export const publishAddresses = (
  members: readonly Member[],
  chosen: Gateways,
  { hostIp: fallback, ipv6 }: { readonly hostIp: string; readonly ipv6: boolean },
): readonly string[] =>
  ([4, 6] as const).flatMap((family) => {
    if (family === 6 && !ipv6) return [];
    const carrier = carrierOf(chosen, family);
    const network = members.find(({ endpoint }) => endpoint.id === carrier)?.network;
    return inFamily(network?.options[HOST_BINDING] || fallback, family);
  });

/** What the sandbox publishes when it has these members: as before, where the addresses are as before. */
export const publishedBindings = (
  view: View,
  sandbox: Sandbox,
  { config, hostConfig }: Container,
  members: readonly Member[],
): readonly PortBinding[] => {
  const apart = members.length > 0 && members.every(({ driver }) => !driver.capabilities.interfaces);
  const unused = members.length === 0 && sandbox.bindings.length === 0;
  if (sandbox.mode === 'host' || apart || unused) return [];
  const now = publishAddresses(members, gateways(members), view.host);
  const before = publishAddresses(membersOf(view, sandbox.id), sandbox, view.host);
  return sandbox.bindings.length > 0 && now.join() === before.join()
    ? sandbox.bindings
    : resolveBindings(config, hostConfig, now, view.facts.freePort, sandbox.bindings);
};
