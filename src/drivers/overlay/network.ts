/**
 * Slices of an overlay network: a bridge and a VXLAN device as its port while a container of this host is on it, and for each
 * other host its containers' addresses. The bridge has no address, so the host is no part of the network; it knows every
 * neighbour, so it answers ARP and neighbour discovery itself and nothing is ever broadcast between hosts. Pure.
 */

import type { FirewallNetwork } from '../../firewall/contract.js';
import { networkElements } from '../../firewall/index.js';
import { bare } from '../../model/address.js';
import { shortId } from '../../model/ids.js';
import { macFromText } from '../../model/mac.js';
import type { Network, Overlay } from '../../model/network.js';
import { tunnelAddress } from '../../model/tunnel.js';
import type { KernelObject, SysctlObject, VxlanLink } from '../../plan/objects.js';
import type { NetworkView, OverlayPlace, PeerView } from '../contract.js';
import { MIN_MTU_IPV6 } from '../sandbox-end.js';

export const bridgeOf = ({ id }: Network): string => `br-${shortId(id)}`;
export const vxlanOf = ({ id }: Network): string => `vx-${shortId(id)}`;

/** To the firewall it is an internal network whose bridge has no address: the host reaches nobody there, nor anybody the host. */
export const firewallNetwork = (network: Network): FirewallNetwork => ({
  bridge: bridgeOf(network),
  internal: true,
  icc: true,
  deaf: true,
  families: network.pools
    .filter(({ family }) => (family === 4 ? network.ipv4 : network.ipv6))
    .map(({ family, subnet }) => ({ family, subnet, mode: 'isolated', masquerade: false })),
});

/**
 * The bridge's neighbours of IPv6 are there only where it has IPv6 itself: without an address, and deaf to router
 * advertisements.
 */
const sysctls = ({ network, host }: NetworkView, { mtu }: Overlay): readonly SysctlObject[] => {
  if (!host.ipv6 || mtu < MIN_MTU_IPV6) return [];
  const at = (name: string, value: string): SysctlObject => ({
    kind: 'sysctl',
    ns: 'host',
    path: `net/ipv6/conf/${bridgeOf(network)}/${name}`,
    value,
  });
  return network.ipv6
    ? [at('addr_gen_mode', '1'), at('accept_ra', '0'), at('disable_ipv6', '0')]
    : [at('disable_ipv6', '1')];
};

/**
 * Where VXLAN packets of a host are sent to and come from: an encrypted network knows nothing but addresses inside the tunnel, so
 * there is no state in which it sends in the clear.
 */
export const vtepOf = (
  { encrypted }: Pick<Overlay, 'encrypted'>,
  { address, key }: Pick<OverlayPlace, 'address' | 'key'>,
): string | undefined => {
  if (!encrypted) return address;
  return key === undefined ? undefined : tunnelAddress(key);
};

/** The VXLAN device is a port, which never speaks for itself. */
export const deafPort = ({ network, place, host }: NetworkView, overlay: Overlay): readonly SysctlObject[] =>
  host.ipv6 && overlay.mtu >= MIN_MTU_IPV6 && place && vtepOf(overlay, place) !== undefined
    ? [{ kind: 'sysctl', ns: 'host', path: `net/ipv6/conf/${vxlanOf(network)}/disable_ipv6`, value: '1' }]
    : [];

/** `local`: of this host, as `vtepOf` has it; `mac`: the bridge's, which is the host's own on the network */
export const links = (
  { network }: NetworkView,
  { vni, port, mtu }: Overlay,
  local: string | undefined,
  mac: string,
): readonly KernelObject[] => {
  const bridge = bridgeOf(network);
  const vxlan: readonly VxlanLink[] =
    local === undefined
      ? []
      : [
          {
            kind: 'link',
            type: 'vxlan',
            ns: 'host',
            name: vxlanOf(network),
            mtu,
            up: true,
            vni,
            local,
            port,
            master: bridge,
          },
        ];
  return [
    { kind: 'link', type: 'bridge', ns: 'host', name: bridge, mac, mtu, up: true, owned: true },
    ...vxlan,
  ];
};

/** On hosts without a container of the network there is nothing of it. */
export const network = (view: NetworkView): readonly KernelObject[] => {
  const { overlay } = view.network;
  if (!overlay || !view.place?.attached) return [];
  return [
    ...links(view, overlay, vtepOf(overlay, view.place), macFromText(`bridge ${view.network.id}`)),
    ...sysctls(view, overlay),
    ...deafPort(view, overlay),
    ...networkElements(firewallNetwork(view.network)).map((element) => ({
      ...element,
      guard: true as const,
    })),
  ];
};

export const peer = (view: PeerView): readonly KernelObject[] => {
  const { network, place, host } = view;
  const { endpoints } = view.peer;
  if (!network.overlay || !place?.attached) return [];
  const [local, destination] = [vtepOf(network.overlay, place), vtepOf(network.overlay, view.peer)];
  if (local === undefined || destination === undefined) return [];
  const ipv6 = host.ipv6 && network.ipv6 && network.overlay.mtu >= MIN_MTU_IPV6;
  return endpoints.flatMap(({ mac, ipv4, ipv6: second }): readonly KernelObject[] => [
    { kind: 'fdb', ns: 'host', link: vxlanOf(network), mac, destination },
    ...[ipv4, ipv6 ? second : undefined].flatMap((address): readonly KernelObject[] =>
      address === undefined
        ? []
        : [{ kind: 'neighbour', ns: 'host', link: bridgeOf(network), address: bare(address), mac }],
    ),
  ]);
};
