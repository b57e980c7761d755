import { describe, expect, it } from 'vitest';
import { bridge } from '../../src/drivers/bridge/index.js';
import { build, diff } from '../../src/plan/diff.js';
import { inverse } from '../../src/plan/inverse.js';
import type { BridgeLink, ElementObject, KernelObject, VethLink } from '../../src/plan/objects.js';
import type { Plan } from '../../src/plan/plan.js';
import { print } from '../../src/plan/print.js';
import { Machine } from '../support/machine/machine.js';
import { said } from '../support/machine/said.js';
import { aNetwork, anEndpoint, aView } from '../support/views.js';

const NS = '/run/viaduct/netns/5a';
const netns: KernelObject = { kind: 'netns', path: NS };
const bridgeLink: BridgeLink = {
  kind: 'link',
  type: 'bridge',
  ns: 'host',
  name: 'br0',
  mac: '06:00:00:00:00:01',
  mtu: 1500,
  up: true,
  owned: true,
};
const veth: VethLink = {
  kind: 'link',
  type: 'veth',
  ns: 'host',
  name: 'veth0',
  mtu: 1500,
  up: true,
  master: 'br0',
  hairpin: false,
  isolated: false,
  peerNs: NS,
  peerName: 'eth0',
  peerMac: '02:42:0a:00:00:02',
};
const address: KernelObject = { kind: 'address', ns: NS, link: 'eth0', address: '10.0.0.2/24' };
const route: KernelObject = {
  kind: 'route',
  ns: NS,
  family: 4,
  destination: '0.0.0.0/0',
  link: 'eth0',
  via: '10.0.0.1',
};
const sysctl: KernelObject = { kind: 'sysctl', ns: NS, path: 'net/ipv6/conf/eth0/disable_ipv6', value: '1' };
const element = (set: string, key: string, data?: string, guard?: true): ElementObject => ({
  kind: 'element',
  family: 'inet',
  set,
  key: [key],
  ...(data ? { data: [data] } : {}),
  ...(guard ? { guard } : {}),
});
const hostport: KernelObject = {
  kind: 'hostport',
  protocol: 'tcp',
  address: '0.0.0.0',
  port: 8080,
  count: 1,
  target: { address: '10.0.0.2', port: 80 },
};
const resolver: KernelObject = { kind: 'resolver', ns: NS, sandboxId: '5a' };
const everything: KernelObject[] = [
  route,
  resolver,
  element('relay_port', 'tcp', '40001'),
  hostport,
  address,
  sysctl,
  veth,
  bridgeLink,
  netns,
  element('bridges', 'br0', undefined, true),
];
/** bridges before their ports: slices come in this order */
const ordered = [netns, bridgeLink, veth, ...everything.filter((o) => o.kind !== 'link' && o !== netns)];
/** A machine with everything. */
const made = (): Machine => {
  const machine = new Machine();
  machine.apply(build(ordered));
  return machine;
};
const kinds = (plan: Plan): string[] =>
  plan.map(({ op, object: o }) => `${op} ${o.kind === 'element' && o.guard ? 'guard' : o.kind}`);

describe('a plan', () => {
  it('makes things in the order of kernel work', () => {
    expect(kinds(build(ordered))).toEqual([
      'create netns',
      'create guard',
      'create link',
      'create link',
      'create sysctl',
      'create address',
      'create hostport',
      'create element',
      'replace link',
      'replace link',
      'create route',
      'create resolver',
    ]);
  });

  it('takes away what opens first and what guards last; what hangs on a link goes with it', () => {
    const plan = diff(ordered, []);
    expect(kinds(plan)).toEqual([
      'delete resolver',
      'delete element',
      'delete hostport',
      'delete link',
      'delete link',
      'delete netns',
      'delete guard',
    ]);
    const del = plan.find((s) => s.object === veth);
    expect(del?.op === 'delete' && del.takes).toEqual([route, address, sysctl]);
  });

  it('is empty between equals, whatever their order, and does not compare what an element is for', () => {
    expect(diff(everything, ordered)).toEqual([]);
    expect(diff([element('s', 'k', undefined, true)], [element('s', 'k')])).toEqual([]);
  });

  it('replaces what has another state under the same key', () => {
    const other: KernelObject = { ...route, link: 'eth1' };
    expect(diff([route], [other])).toEqual([{ op: 'replace', object: other, before: route }]);
  });

  it('makes a link anew, with all it carries, when the kernel cannot turn one into the other', () => {
    const moved: VethLink = { ...veth, peerMac: '02:42:0a:00:00:03' };
    const plan = diff(
      ordered,
      ordered.map((o) => (o === veth ? moved : o)),
    );
    expect(kinds(plan)).toEqual([
      'delete link',
      'create link',
      'create sysctl',
      'create address',
      'replace link',
      'create route',
    ]);
    const machine = made();
    const before = said(machine.world);
    machine.apply(plan);
    machine.takeBack(inverse(plan));
    expect(said(machine.world)).toEqual(before);
  });

  it('neither makes nor deletes what is on a user’s bridge implicitly', () => {
    const users: BridgeLink = { ...bridgeLink, owned: false };
    const own: KernelObject = { kind: 'address', ns: 'host', link: 'br0', address: '10.0.0.1/24' };
    expect(kinds(diff([users, own], []))).toEqual(['delete address', 'delete link']);
  });

  it('moves a default route between endpoints in one step', () => {
    const network = aNetwork();
    const slices = (gateway: 'eth0' | 'eth1'): KernelObject[] =>
      ['eth0', 'eth1'].flatMap((ifname, i) => {
        const endpoint = anEndpoint({ id: `e${i}`, ifname, ipv4: `172.18.0.${i + 2}/16` });
        const view = aView({ network, endpoint });
        const gateway4 = ifname === gateway ? endpoint.id : null;
        return bridge.endpoint({ ...view, sandbox: { ...view.sandbox, gateway4 } });
      });
    expect(print(diff(slices('eth0'), slices('eth1')))).toBe(
      `ip -n ${NS} route replace default via 172.18.0.1 dev eth1\n`,
    );
  });
});

/** A container's pair plugged into a switch, with a flow that names its port. */
const plugged = (into = 'sw0'): KernelObject[] => [
  netns,
  {
    kind: 'ovs-bridge',
    name: into,
    datapath: 'system',
    mac: '06:00:00:00:00:02',
    mtu: 1500,
    owner: into,
    named: true,
  },
  { ...veth, master: '' },
  { kind: 'ovs-port', name: 'veth0', bridge: into, role: 'endpoint', protected: false, externalIds: {} },
  {
    kind: 'ovs-flow',
    bridge: into,
    table: 0,
    priority: 1,
    cookie: '7669000000000000',
    match: { in_port: 'veth0' },
    action: 'drop',
  },
];

describe('what is plugged into a switch', () => {
  it('I10-11: loses its link first, so that whoever takes that back raises it behind its port and its flows', () => {
    const plan = diff(plugged(), []);
    expect(kinds(plan)).toEqual([
      'delete link',
      'delete ovs-port',
      'delete ovs-flow',
      'delete ovs-bridge',
      'delete netns',
    ]);
    for (let n = 1; n <= plan.length; n += 1) {
      const machine = new Machine();
      machine.apply(build(plugged()));
      const before = said(machine.world);
      machine.apply(plan.slice(0, n));
      const back = inverse(plan.slice(0, n));
      expect(kinds(back).at(-1)).toBe('replace link');
      machine.takeBack(back);
      expect(said(machine.world)).toEqual(before);
    }
  });

  it('I10-11: is unplugged and plugged in again where it goes to another switch', () => {
    const machine = new Machine();
    machine.apply(build(plugged('sw0')));
    const plan = diff(plugged('sw0'), plugged('sw1'));
    expect(kinds(plan)).toEqual([
      'delete ovs-port',
      'delete ovs-flow',
      'delete ovs-bridge',
      'create ovs-bridge',
      'create ovs-port',
      'create ovs-flow',
    ]);
    machine.apply(plan);
    machine.apply(diff(plugged('sw1'), []));
    expect(said(machine.world)).toEqual(['namespace host']);
  });
});

describe('the inverse of a plan', () => {
  it('I10-11: loses its way out before its other networks, of which one may be internal', () => {
    const inner: VethLink = { ...veth, name: 'veth1', peerName: 'eth1', peerMac: '02:42:0a:00:01:02' };
    for (const links of [
      [veth, inner],
      [inner, veth],
    ]) {
      const taken = diff([bridgeLink, netns, ...links, address, route], [bridgeLink]);
      expect(taken.map(({ object }) => ('name' in object ? object.name : object.kind))).toEqual([
        ...['veth0', 'veth1', 'netns'],
      ]);
    }
  });

  it('brings back what a deleted link took along', () => {
    const machine = made();
    const before = said(machine.world);
    const plan = diff(ordered, []);
    machine.apply(plan);
    expect(said(machine.world)).toEqual(['namespace host']);
    machine.takeBack(inverse(plan));
    expect(said(machine.world)).toEqual(before);
  });
});
