/**
 * The networks that Viaduct's drivers make, made by hand from the kernel's own devices: two namespaces `a` and `b` on a
 * machine of their own (World) without a daemon, without rules, without translation; the outside is told the way back.
 */
import { basename } from 'node:path';
import { setOffload } from '../src/kernel/offload.js';
import { startOvs } from '../test/support/ovs.js';
import { attempt, run } from '../test/support/run.js';
import { createWorld, HOST, OUTSIDE, type World } from '../test/support/world.js';
import { onEnd } from './undo.js';

/** Paths of network namespaces: two containers of one network, and a peer of their machine. */
export interface Ends {
  readonly a: string;
  readonly b: string;
  readonly outside: string;
}

export interface HandMade {
  readonly ends: Ends;
  /** the machine it is on */
  readonly world: World;
  readonly remove: () => Promise<void>;
}

/** What a build is given: the machine, and names of namespaces. */
interface Site {
  readonly world: World;
  readonly containers: readonly [string, string];
  readonly ip: (ns: string, lines: readonly string[]) => Promise<void>;
  readonly onRemove: (undo: () => Promise<void>) => void;
}

export type Build = (site: Site) => Promise<void>;

/** Three of the four numbers of the containers' addresses. */
export const SUBNET = '172.30.0';

const hostOf = ({ world }: Site): string => basename(world.netns.host);
const outsideOf = ({ world }: Site): string => basename(world.netns.outside);

const macOf = (i: number): string => `02:00:00:00:00:0${i + 2}`;
const addressOf = (i: number): string => `${SUBNET}.${i + 2}`;

/** Two veth pairs, their far ends the containers' eth0 with address and default route; the near ends p0 and p1. */
const pairs = async (site: Site): Promise<void> => {
  for (const [i, ns] of site.containers.entries()) {
    await site.ip(hostOf(site), [
      `link add p${i} type veth peer name eth0 address ${macOf(i)} netns ${ns}`,
      `link set p${i} up`,
    ]);
    await site.ip(ns, [
      'link set lo up',
      'link set eth0 up',
      `address add ${addressOf(i)}/24 dev eth0`,
      `route add default via ${SUBNET}.1`,
    ]);
  }
};

/** The host as router between the switch `br0` and the outside. */
const router = async (site: Site): Promise<void> => {
  await site.ip(hostOf(site), ['link set br0 up', `address add ${SUBNET}.1/24 dev br0`]);
  await site.ip(outsideOf(site), [`route add ${SUBNET}.0/24 via ${HOST.ipv4}`]);
  await site.world.host('echo 1 > /proc/sys/net/ipv4/ip_forward');
};

/**
 * Whether frames between the ports of one bridge pass the rules of layer 3 too: a property of the machine, for whoever's
 * bridges. Off where nobody loads br_netfilter; dockerd and Kubernetes load it, and some kernels have it built in and on.
 */
export const setBridgeNetfilter = async ({ host }: World, on: boolean): Promise<void> =>
  void (await host(`
    for call in /proc/sys/net/bridge/bridge-nf-call-*; do
      if [ -e $call ]; then echo ${on ? 1 : 0} > $call; fi
    done`));

export const plainBridge: Build = async (site) => {
  await site.ip(hostOf(site), ['link add br0 type bridge']);
  await router(site);
  await pairs(site);
  await site.ip(hostOf(site), ['link set p0 master br0', 'link set p1 master br0']);
};

/** A router as it is usually set up: it knows which flows are under way, and translates what comes out of `bridge`. */
export const routerOf = (bridge: string, table = 'hand'): string => `
table inet ${table} {
  chain forward {
    type filter hook forward priority filter
    ct state established,related accept
  }
  chain source {
    type nat hook postrouting priority srcnat
    iifname ${bridge} oifname eth0 masquerade
  }
}`;

/** Ports send only with their own MAC and address: nothing to look up, and only those ports' frames are asked. */
const SENDERS = `
table netdev hand {${[0, 1]
  .map(
    (i) => `
  chain guard${i} {
    type filter hook ingress device p${i} priority -300
    meta protocol ip ether saddr ${macOf(i)} ip saddr ${addressOf(i)} accept
    meta protocol arp arp saddr ether ${macOf(i)} arp saddr ip ${addressOf(i)} accept
    drop
  }`,
  )
  .join('')}
}`;

const addRules = async ({ world }: Site, rules: string): Promise<void> =>
  void (await world.host('nft -f -', { input: rules }));

/** On a router that refuses forged senders as well. */
export const guardedBridge: Build = async (site) => {
  await plainBridge(site);
  await addRules(site, routerOf('br0') + SENDERS);
};

/** On a router that tracks and translates for another network. */
export const bridgeBesideAnother: Build = async (site) => {
  await plainBridge(site);
  await addRules(site, routerOf('br1'));
};

/** On the wire to the outside itself; `type` as ip-link(8) takes it. */
export const onParent =
  (type: string): Build =>
  async (site) => {
    for (const [i, ns] of site.containers.entries()) {
      await site.ip(hostOf(site), [
        `link add link eth0 name m${i} type ${type}`,
        `link set m${i} netns ${ns} name eth0`,
      ]);
      await site.ip(ns, [
        'link set lo up',
        'link set eth0 up',
        `address add 192.0.2.${i + 3}/24 dev eth0`,
        `route add default via ${OUTSIDE.ipv4}`,
      ]);
    }
  };

/**
 * The userspace datapath (`netdev`) takes frames as the kernel hands them over, so that containers must finish their
 * packets themselves, and the host must not answer ARP on the ports: without either nothing passes, whoever makes it.
 */
export const plainOvs =
  (datapath: string): Build =>
  async (site) => {
    const { world, containers } = site;
    const ovs = await startOvs(world.base, world.enter);
    site.onRemove(ovs.remove);
    await ovs.vsctl('add-br', 'br0', '--', 'set', 'bridge', 'br0', `datapath_type=${datapath}`);
    await router(site);
    await pairs(site);
    for (const [i, ns] of containers.entries()) {
      if (datapath === 'netdev') {
        setOffload({ kind: 'offload', ns: `/run/netns/${ns}`, link: 'eth0', transmit: false });
        await world.host(`echo 8 > /proc/sys/net/ipv4/conf/p${i}/arp_ignore`);
      }
      await ovs.vsctl('add-port', 'br0', `p${i}`);
    }
  };

export const guardedOvs =
  (datapath: string): Build =>
  async (site) => {
    await plainOvs(datapath)(site);
    await addRules(site, routerOf('br0'));
  };

let count = 0;

export const makeByHand = async (build: Build): Promise<HandMade> => {
  count += 1;
  const containers = [`vp-${process.pid}-${count}a`, `vp-${process.pid}-${count}b`] as const;
  const undo: (() => Promise<void>)[] = [];
  const remove = onEnd(async () => {
    for (const step of undo.reverse()) await step();
  });
  const world = await createWorld();
  undo.push(world.remove);
  for (const ns of containers) {
    undo.push(async () => void (await attempt('ip', ['netns', 'delete', ns])));
    await run('ip', ['netns', 'add', ns]);
  }
  await build({
    world,
    containers,
    ip: async (ns, lines) =>
      void (await run('ip', ['-n', ns, '-batch', '-'], { input: `${lines.join('\n')}\n` })),
    onRemove: (step) => void undo.push(step),
  });
  const [a, b] = containers;
  return {
    ends: { a: `/run/netns/${a}`, b: `/run/netns/${b}`, outside: world.netns.outside },
    world,
    remove,
  };
};
