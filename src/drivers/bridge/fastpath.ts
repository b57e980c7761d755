/**
 * Shortcuts past the bridge, from container to container (ADR 39): who has one, and what keeps others from it. Guard and bridge stay as they
 * are, and carry all that has none. Pure.
 */
import { defined } from '../../defined.js';
import { bare } from '../../model/address.js';
import type { Network } from '../../model/network.js';
import type { KernelObject } from '../../plan/objects.js';
import type { EndpointView, NetworkView } from '../contract.js';
import { forwards } from '../sender.js';
import { type BridgeSettings, bridgeSettings } from './settings.js';

/** What the bridge is to do with frames that would pass by it; empty: nothing. Links open ways only where ICC is off. */
const inTheWay = ({ icc, owned }: BridgeSettings): string => {
  if (!icc) return 'its containers may not talk (enable_icc=false)';
  return owned ? '' : 'its bridge is not Viaduct’s, and has settings of its own';
};

const hasShortcuts = (settings: BridgeSettings): boolean =>
  settings.fastpath !== 'off' && inTheWay(settings) === '';

export const networkFastpath = (settings: BridgeSettings): readonly KernelObject[] =>
  hasShortcuts(settings)
    ? [{ kind: 'fastpath', bridge: settings.bridge, always: settings.fastpath === 'always' }]
    : [];

/** The bridge learns nothing of whoever it sees nothing of: without a lasting entry what the host sends there would go to every port. */
export const endpointShortcut = (
  { endpoint, sandbox }: EndpointView,
  settings: BridgeSettings,
): readonly KernelObject[] => {
  if (!hasShortcuts(settings) || forwards(endpoint, sandbox)) return [];
  const { hostIfname: link, mac, ipv4, ipv6 } = endpoint;
  const addresses = defined({ ipv4: ipv4 && bare(ipv4), ipv6: ipv6 && bare(ipv6) });
  const always = settings.fastpath === 'always';
  return [
    { kind: 'fdb', ns: 'host', link, mac },
    { kind: 'shortcut', link, bridge: settings.bridge, mac, ...addresses, always },
  ];
};

const named = ({ name }: Network): string => `network ${name}: viaduct.fastpath is suspended`;

/** Why the option does nothing for the network, or for some of its containers. */
export const suspensions = (
  { network, host }: NetworkView,
  endpoints: () => readonly EndpointView[],
): readonly string[] => {
  const settings = bridgeSettings(network, host);
  if (settings.fastpath === 'off') return [];
  const reason = inTheWay(settings);
  if (reason !== '') return [`${named(network)}, as ${reason}`];
  const routers = endpoints().filter(({ endpoint, sandbox }) => forwards(endpoint, sandbox));
  return routers.map(
    ({ endpoint }) =>
      `${named(network)} for ${endpoint.containerName}, which may send with others’ addresses as a router does`,
  );
};
