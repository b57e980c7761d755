/** What is wrong on the way to another host, from what came back of it: one fault with its remedy, in words. Pure. */
import type { Way } from '../../engine/cluster.js';

/** What was seen of one way. */
export interface Seen {
  /** a container there answers small packets */
  readonly small: boolean;
  /** the host itself answers at its address; only asked where the container does not */
  readonly host: boolean;
  /** bytes of the largest packet that a container there answers; only looked for where full-size ones are not answered */
  readonly largest: number;
  /** TCP, whose checksums a network card completes, is answered */
  readonly tcp: boolean;
  /** Serf hears the host */
  readonly gossip: boolean;
  /** seconds since WireGuard last agreed on keys with the host; undefined: never, or it is not the way */
  readonly agreed: number | undefined;
}

/** WireGuard agrees on new keys every two minutes, and takes no packet by keys that are older than three. */
const AGREED_SECONDS = 180;

const closed = (way: Way, { host, agreed }: Seen): string => {
  const { hostName, address, network, port, tunnelPort } = way;
  const nothing = `nothing of what containers send to host ${hostName} (${address}) on network ${network} comes back`;
  const silent = host ? '' : `, nor does the host answer (ping ${address})`;
  if (tunnelPort === undefined)
    return `${nothing}${silent}: open UDP port ${port} between the two, in both directions, in the firewalls of hosts, cloud and hypervisor (a hypervisor that uses VXLAN itself may keep ${port}: docker swarm init --data-path-port names another)`;
  if (agreed === undefined || agreed > AGREED_SECONDS)
    return `${nothing}${silent}, and WireGuard has agreed on no keys with it: open UDP port ${tunnelPort} between the two, in both directions; where it is open, one of them knows another key of the other than that has: restart viaductd on both`;
  return `${nothing}${silent}, though WireGuard agreed on keys with it ${Math.round(agreed)} seconds ago: UDP port ${tunnelPort} was closed since then, or its containers answer no ping`;
};

/** undefined: nothing is wrong. Of several faults that without which the others would not be seen. */
export const judge = (way: Way, seen: Seen): string | undefined => {
  const { hostName, address, network, mtu } = way;
  if (!seen.small) return closed(way, seen);
  if (seen.largest < mtu)
    return `packets of more than ${seen.largest} bytes do not reach containers of host ${hostName} (${address}) on network ${network}, which may send ${mtu}: the path between the hosts carries less than their interfaces say; raise it by ${mtu - seen.largest}, or make the network anew with -o com.docker.network.driver.mtu=${seen.largest}`;
  if (!seen.tcp)
    return `containers of host ${hostName} (${address}) on network ${network} answer ping and no TCP: a network card completes checksums inside VXLAN wrongly; on both hosts: ethtool -K INTERFACE tx-udp_tnl-segmentation off tx-udp_tnl-csum-segmentation off, and where that does not help, tx off`;
  if (!seen.gossip)
    return `host ${hostName} (${address}) answers, but Serf does not hear it: open TCP and UDP port 7946 between the two, in both directions`;
  return undefined;
};
