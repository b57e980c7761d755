/**
 * Overlay networks of two hosts made by hand from the kernel's own devices, in namespaces without a daemon: bridge, VXLAN and veth, every
 * neighbour written down (nothing is learned or broadcast), forged senders and VXLAN of strangers refused, VXLAN not tracked, on hosts that are routers of another network.
 * On one of them a service has an address, translated where the call begins, and a port of the first host, translated there; its
 * container sees the client's address and answers through the host that was called, also where one client calls several hosts from one
 * port. On another the first host hides the client behind its own address, as Docker's swarm does.
 */
import { basename } from 'node:path';
import { attempt, run } from '../test/support/run.js';
import { createWire, createWorld, onWire, type World } from '../test/support/world.js';
import type { Routes } from './load/traffic.js';
import { routerOf } from './plain.js';
import { onEnd } from './undo.js';

export const OVERLAY_WAYS = [
  'overlay',
  'address of a service',
  'published port',
  'published port, clients hidden',
] as const;
export type OverlayWay = (typeof OVERLAY_WAYS)[number];

export interface HandMadeOverlay {
  readonly routes: Routes<OverlayWay>;
  readonly hosts: readonly World[];
  remove(): Promise<void>;
}

const HOSTS = [1, 2] as const;
type Host = (typeof HOSTS)[number];
const other = (host: Host): Host => (host === 1 ? 2 : 1);

/** One without anything, one with a service, one with a service whose clients are hidden from it. */
const NETWORKS = [1, 2, 3] as const;
type Network = (typeof NETWORKS)[number];
const [SERVED, HIDDEN] = [2, 3] as const satisfies readonly Network[];

const PORT = 4789;
const MTU = 1450;
const addressOf = (network: Network, host: Host): string => `10.97.${network}.${host}`;
/** Hosts themselves are on the networks of services, as those of a swarm are: with one address, and a MAC each. */
const routerOn = (network: Network): string => `10.97.${network}.254`;
const routerMac = (network: Network, host: Host): string => `02:43:00:00:0${network}:0${host}`;
/** Of the first host, where it hides its clients. */
const HIDING = '192.0.2.11';
const VIP = `10.97.${SERVED}.100`;
const macOf = (network: Network, host: Host): string => `02:00:00:00:0${network}:0${host}`;

const ip = async (ns: string, lines: readonly string[]): Promise<void> =>
  void (await run('ip', ['-n', ns, '-batch', '-'], { input: `${lines.join('\n')}\n` }));
const bridge = async (ns: string, lines: readonly string[]): Promise<void> =>
  void (await run('bridge', ['-n', ns, '-batch', '-'], { input: `${lines.join('\n')}\n` }));

const hostName = ({ netns }: World): string => basename(netns.host);

type ContainerOf = (network: Network, host: Host) => string;

/** Of one network on one host: its devices, and its container. */
const half = async (world: World, host: Host, network: Network, container: string): Promise<void> => {
  const ns = hostName(world);
  await ip(ns, [
    `link add br${network} address ${routerMac(network, host)} mtu ${MTU} type bridge mcast_snooping 0`,
    `link add vx${network} mtu ${MTU} type vxlan id ${5000 + network} local ${onWire(host).ipv4} dstport ${PORT} nolearning`,
    `link set vx${network} addrgenmode none`,
    `link set vx${network} master br${network} up`,
    `link set br${network} up`,
    `link add p${network} mtu ${MTU} type veth peer name eth0 address ${macOf(network, host)} mtu ${MTU} netns ${container}`,
    `link set p${network} master br${network} up`,
    `neigh replace ${addressOf(network, other(host))} lladdr ${macOf(network, other(host))} dev br${network} nud permanent`,
  ]);
  await bridge(ns, [
    `link set dev vx${network} learning off neigh_suppress on`,
    `fdb replace ${macOf(network, other(host))} dev vx${network} self master static dst ${onWire(other(host)).ipv4}`,
  ]);
  await ip(container, [
    'link set lo up',
    'link set eth0 up',
    `address add ${addressOf(network, host)}/24 dev eth0`,
    `route add default via ${routerOn(network)} dev eth0`,
  ]);
};

/**
 * Ports send only with their own MAC and address; VXLAN is taken from the other host alone, from no container, and not tracked. What
 * comes to the host itself is asked whether it belongs to a flow, and 127/8 is nobody else's.
 */
const guards = async (world: World, host: Host): Promise<void> => {
  const ports = NETWORKS.map(
    (network) => `
  chain guard${network} {
    type filter hook ingress device p${network} priority -300
    meta protocol ip ether saddr ${macOf(network, host)} ip saddr ${addressOf(network, host)} accept
    meta protocol arp arp saddr ether ${macOf(network, host)} arp saddr ip ${addressOf(network, host)} accept
    drop
  }`,
  );
  await world.host('nft -f -', {
    input: `
table netdev hand {${ports.join('')}
}
table inet hand {
  chain loopback {
    type filter hook prerouting priority -300
    ip daddr 127.0.0.0/8 iifname != lo drop
    ip saddr 127.0.0.0/8 iifname != lo drop
  }
  chain strangers {
    type filter hook prerouting priority -300
    udp dport ${PORT} iifname { ${NETWORKS.map((network) => `br${network}`).join(', ')} } drop
    udp dport ${PORT} ip saddr != ${onWire(other(host)).ipv4} drop
    udp dport ${PORT} notrack
  }
  chain sent {
    type filter hook output priority -300
    udp dport ${PORT} notrack
  }
  chain input {
    type filter hook input priority 0
    ct state established,related accept
    ct state invalid drop
  }
}
${routerOf('br0', 'hand_router')}`,
  });
};

/** What the container calls at the service's address goes to the one of the other host. */
const serviceIn = async (container: string): Promise<void> =>
  void (await run('nsenter', [`--net=/run/netns/${container}`, 'nft', '-f', '-'], {
    input: `
table ip hand {
  chain out {
    type nat hook output priority -100
    ip daddr ${VIP} dnat to ${addressOf(SERVED, 2)}
  }
}`,
  }));

/** The last four bytes of a host's MAC, as they lie in memory. */
const markOf = (host: Host): string => `0x${routerMac(SERVED, host).split(':').slice(2).reverse().join('')}`;

/** What a container answers leaves by the host that it was called by: a zone and a mark for each, by its MAC (CLUSTER.md 1.6). */
const wayBack = async (container: string): Promise<void> =>
  void (await run('nsenter', [`--net=/run/netns/${container}`, 'nft', '-f', '-'], {
    input: `
table inet hand_back {
  chain zones {
    type filter hook prerouting priority -300
    @ll,48,16 0x0243 ct original zone set @ll,80,16
  }
  chain came_by {
    type filter hook prerouting priority -151
    @ll,48,16 0x0243 ct mark set @ll,64,32
  }
  chain apart {
    type nat hook input priority 100
  }
  chain goes_by {
    type filter hook output priority -151
    ct mark != 0 meta mark set ct mark
  }
}
table netdev hand_back {
  chain eth0 {
    type filter hook egress device eth0 priority 0
    ether daddr set meta mark map { ${HOSTS.map((host) => `${markOf(host)} : ${routerMac(SERVED, host)}`).join(', ')} }
  }
}`,
  }));

/** The hosts are on the networks of services, and the first leads its own ports to the second's containers. */
const publish = async (worlds: Readonly<Record<Host, World>>, containerOf: ContainerOf): Promise<void> => {
  for (const host of HOSTS)
    for (const network of [SERVED, HIDDEN]) {
      const ns = hostName(worlds[host]);
      await ip(ns, [`address add ${routerOn(network)}/24 dev br${network}`]);
      await ip(containerOf(network, host), [
        `neigh replace ${routerOn(network)} lladdr ${routerMac(network, network === HIDDEN ? 1 : host)} dev eth0 nud permanent`,
      ]);
      await bridge(ns, [
        `fdb replace ${routerMac(network, other(host))} dev vx${network} self master static dst ${onWire(other(host)).ipv4}`,
      ]);
    }
  const [first, ports] = [worlds[1], '{ 7, 9, 5201 }'];
  await first.host('echo 1 > /proc/sys/net/ipv4/ip_forward');
  await ip(hostName(first), [`address add ${HIDING}/24 dev eth0`]);
  await first.host('nft -f -', {
    input: `
table ip hand_mesh {
  chain in {
    type nat hook prerouting priority -100
    ip daddr ${onWire(1).ipv4} tcp dport ${ports} dnat to ${addressOf(SERVED, 2)}
    ip daddr ${HIDING} tcp dport ${ports} dnat to ${addressOf(HIDDEN, 2)}
  }
  chain forward {
    type filter hook forward priority filter
    ct state established,related accept
  }
  chain source {
    type nat hook postrouting priority srcnat
    oifname br${HIDDEN} masquerade
  }
}`,
  });
};

export const makeOverlayByHand = async (): Promise<HandMadeOverlay> => {
  const undo: (() => Promise<void>)[] = [];
  const remove = onEnd(async () => {
    for (const step of undo.reverse()) await step();
  });
  const wire = await createWire();
  undo.push(wire.remove);
  const worldOf = async (host: Host): Promise<World> => {
    const world = await createWorld({ wire, number: host });
    undo.push(world.remove);
    return world;
  };
  const [first, second] = [await worldOf(1), await worldOf(2)];
  const containerOf: ContainerOf = (network, host) => `vp-${process.pid}-o${network}${host}`;
  for (const [host, world] of [[1, first] as const, [2, second] as const]) {
    for (const network of NETWORKS) {
      const container = containerOf(network, host);
      undo.push(async () => void (await attempt('ip', ['netns', 'delete', container])));
      await run('ip', ['netns', 'add', container]);
      await half(world, host, network, container);
    }
    await guards(world, host);
  }
  await serviceIn(containerOf(SERVED, 1));
  await wayBack(containerOf(SERVED, 2));
  await publish({ 1: first, 2: second }, containerOf);
  const path = (network: Network, host: Host): string => `/run/netns/${containerOf(network, host)}`;
  return {
    routes: {
      overlay: { from: path(1, 1), to: path(1, 2), address: addressOf(1, 2) },
      'address of a service': { from: path(SERVED, 1), to: path(SERVED, 2), address: VIP },
      'published port': { from: wire.netns, to: path(SERVED, 2), address: onWire(1).ipv4 },
      'published port, clients hidden': { from: wire.netns, to: path(HIDDEN, 2), address: HIDING },
    },
    hosts: [first, second],
    remove,
  };
};
