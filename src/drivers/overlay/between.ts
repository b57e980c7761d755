/**
 * Between the hosts of a cluster, for all overlay networks together: who may send VXLAN, and the WireGuard interface that encrypted
 * networks go by, while a container of this host is on one. Pure.
 */
import { sealedElements, vxlanElements } from '../../firewall/index.js';
import { VXLAN_BYTES } from '../../model/network.js';
import type { Vtep } from '../../model/peer.js';
import { TUNNEL_LINK, TUNNEL_SUBNET, type Tunnel, tunnelAddress } from '../../model/tunnel.js';
import type { KernelObject, SysctlObject, WireguardPeerObject } from '../../plan/objects.js';
import type { NetworkView } from '../contract.js';
import { MIN_MTU_IPV6 } from '../sandbox-end.js';

/** An address inside is all of IPv6 that it has: it neither makes one itself nor listens to routers. */
const SYSCTLS: readonly SysctlObject[] = Object.entries({
  addr_gen_mode: '1',
  accept_ra: '0',
  disable_ipv6: '0',
}).map(([name, value]) => ({
  kind: 'sysctl',
  ns: 'host',
  path: `net/ipv6/conf/${TUNNEL_LINK}/${name}`,
  value,
}));

const peerOf = ({ address, tunnel }: Vtep): readonly WireguardPeerObject[] =>
  tunnel
    ? [
        {
          ...{ kind: 'wireguardPeer', ns: 'host', link: TUNNEL_LINK, key: tunnel.key },
          ...{ address, port: tunnel.port, inside: tunnelAddress(tunnel.key) },
        },
      ]
    : [];

/** It carries the largest packets of the networks; what does not fit the wire then is the networks' MTU's affair. */
const tunnel = (
  { key, port }: Tunnel,
  networks: readonly NetworkView[],
  others: readonly Vtep[],
): readonly KernelObject[] => {
  const largest = Math.max(...networks.map(({ network }) => network.overlay?.mtu ?? 0));
  const mtu = Math.max(MIN_MTU_IPV6, largest + VXLAN_BYTES[6]);
  const length = TUNNEL_SUBNET.slice(TUNNEL_SUBNET.indexOf('/'));
  return [
    { kind: 'link', type: 'wireguard', ns: 'host', name: TUNNEL_LINK, mtu, up: true, key, port },
    ...SYSCTLS,
    { kind: 'address', ns: 'host', link: TUNNEL_LINK, address: `${tunnelAddress(key)}${length}` },
    ...others.flatMap(peerOf),
  ];
};

const portsOf = (networks: readonly NetworkView[]): readonly number[] =>
  networks.flatMap(({ network }) => network.overlay?.port ?? []);

/** What is guarded is guarded from the moment on that a network is known, also while nobody here is on it. */
export const between = (
  networks: readonly NetworkView[],
  hosts: readonly Vtep[],
): readonly KernelObject[] => {
  const sealed = networks.filter(({ network }) => network.overlay?.encrypted);
  const clear = networks.filter(({ network }) => !network.overlay?.encrypted);
  const used = sealed.filter(({ place }) => place?.attached);
  const others = hosts.filter(({ own }) => !own);
  const own = hosts.find(({ own: is }) => is);
  return [
    ...vxlanElements(
      portsOf(clear),
      own?.address,
      others.map(({ address }) => address),
    ),
    ...sealedElements(portsOf(sealed)),
    ...(own?.tunnel && used.length > 0 ? tunnel(own.tunnel, used, others) : []),
  ];
};
