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
import type { KernelObject, SysctlObject, VxlanLink } from '../../plan/objects.js';
import type { NetworkView, PeerView } from '../contract.js';
import { MIN_MTU_IPV6 } from '../sandbox-end.js';

export const bridgeOf = ({ id }: Network): string => `br-${shortId(id)}`;
const vxlanOf = ({ id }: Network): string => `vx-${shortId(id)}`;

/** To the firewall it is an internal network whose bridge has no address: the host reaches nobody there, nor anybody the host. */
export const firewallNetwork = (network: Network): FirewallNetwork => ({
  bridge: bridgeOf(network),
  internal: true,
  icc: true,
  families: network.pools
    .filter(({ family }) => (family === 4 ? network.ipv4 : network.ipv6))
    .map(({ family, subnet }) => ({ family, subnet, mode: 'isolated', masquerade: false })),
});

/**
 * The bridge's neighbours of IPv6 are there only where it has IPv6 itself: without an address, and deaf to router
 * advertisements. The device is a port, which never speaks for itself.
 */
const sysctls = ({ network, host }: NetworkView, { mtu }: Overlay): readonly SysctlObject[] => {
  if (!host.ipv6 || mtu < MIN_MTU_IPV6) return [];
  const at = (link: string, name: string, value: string): SysctlObject => ({
    kind: 'sysctl',
    ns: 'host',
    path: `net/ipv6/conf/${link}/${name}`,
    value,
  });
  const [bridge, vxlan] = [bridgeOf(network), vxlanOf(network)];
  const own = network.ipv6
    ? [at(bridge, 'addr_gen_mode', '1'), at(bridge, 'accept_ra', '0'), at(bridge, 'disable_ipv6', '0')]
    : [at(bridge, 'disable_ipv6', '1')];
  return [...own, at(vxlan, 'disable_ipv6', '1')];
};

const links = ({ network, place }: NetworkView, { vni, port, mtu }: Overlay): readonly KernelObject[] => {
  const bridge = bridgeOf(network);
  const vxlan: readonly VxlanLink[] =
    place?.address === undefined
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
            local: place.address,
            port,
            master: bridge,
          },
        ];
  const mac = macFromText(`bridge ${network.id}`);
  return [
    { kind: 'link', type: 'bridge', ns: 'host', name: bridge, mac, mtu, up: true, owned: true },
    ...vxlan,
  ];
};

/** On hosts without a container of the network there is nothing of it. */
export const network = (view: NetworkView): readonly KernelObject[] => {
  const { overlay } = view.network;
  if (!overlay || !view.place?.attached) return [];
  const reachable = view.place.address !== undefined;
  return [
    ...links(view, overlay),
    ...sysctls(view, overlay).filter(({ path }) => reachable || !path.includes(`/${vxlanOf(view.network)}/`)),
    ...networkElements(firewallNetwork(view.network)).map((element) => ({
      ...element,
      guard: true as const,
    })),
  ];
};

export const peer = (view: PeerView): readonly KernelObject[] => {
  const { network, place, host } = view;
  const { address: destination, endpoints } = view.peer;
  if (!network.overlay || !place?.attached || place.address === undefined) return [];
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
