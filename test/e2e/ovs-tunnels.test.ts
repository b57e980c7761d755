/**
 * D10: two machines, each with a daemon and an Open vSwitch of its own, tunnelled over a wire between them. With the
 * userspace datapath the wire is a port of a bridge of Open vSwitch's too, which has the machine's address (docs/ovs.md).
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { captured } from '../support/capture.js';
import { type OvsDaemon, ovsDaemonForThisFile, ovsPhrasesFor } from '../support/ovs-daemon.js';
import { run, until } from '../support/run.js';

interface Machine extends OvsDaemon {
  /** on the wire */
  readonly own: { readonly ipv4: string; readonly ipv6: string };
  /** its gateway and its part of the network's addresses */
  readonly gateway: string;
  readonly range: string;
}

const west: Machine = {
  ...ovsDaemonForThisFile(),
  own: { ipv4: '10.1.0.1', ipv6: 'fd01::1' },
  gateway: '10.42.0.1',
  range: '10.42.0.0/25',
};
const east: Machine = {
  ...ovsDaemonForThisFile(),
  own: { ipv4: '10.1.0.2', ipv6: 'fd01::2' },
  gateway: '10.42.0.254',
  range: '10.42.0.128/25',
};

/** The way to the peers, as docs/ovs.md asks for it. */
const plugWire = async ({ d, ovs, own }: Machine): Promise<void> => {
  await ovs().vsctl('add-br', 'phys', '--', 'set', 'bridge', 'phys', 'datapath_type=netdev');
  await ovs().vsctl('add-port', 'phys', 'wire0');
  await d.host(`
    set -e
    ip link set wire0 up
    ip address add ${own.ipv4}/24 dev phys
    ip address add ${own.ipv6}/64 dev phys nodad
    ip link set phys up`);
};

beforeAll(async () => {
  const [here, there] = [west, east].map(({ d }) => d.world.netns.host);
  await run('nsenter', [
    `--net=${here}`,
    'ip',
    'link',
    'add',
    'wire0',
    'type',
    'veth',
    'peer',
    'name',
    'wire0',
    'netns',
    there ?? '',
  ]);
  for (const machine of [west, east]) await plugWire(machine);
});

afterAll(async () => {
  for (const { ovs } of [west, east]) await ovs().vsctl('del-br', 'phys');
  await west.d.host('ip link delete wire0');
});

const container = async (machine: Machine, name: string, options: readonly string[]): Promise<void> => {
  const { create, sleeper } = ovsPhrasesFor(machine);
  const { gateway, range } = machine;
  await create('far', ...options, '--subnet', '10.42.0.0/24', '--gateway', gateway, '--ip-range', range);
  await sleeper(name, '--network', 'far');
};

test.each([
  { type: 'vxlan', family: 'ipv4', filter: 'udp dst port 4789', wire: /VXLAN, flags \[I\] .*vni 42$/m },
  { type: 'vxlan', family: 'ipv6', filter: 'udp dst port 4789', wire: /VXLAN, flags \[I\] .*vni 42$/m },
  {
    type: 'gre',
    family: 'ipv4',
    filter: 'ip proto 47',
    wire: /GREv0, Flags \[key present\], key=0x2a, proto TEB/,
  },
  {
    type: 'gre',
    family: 'ipv6',
    filter: 'ip6 proto 47',
    wire: /GREv0, Flags \[key present\], key=0x2a, proto TEB/,
  },
] as const)(
  'D10 $type over $family: containers of two machines reach each other',
  async ({ type, family, filter, wire }) => {
    const towards = ({ own }: Machine) => [
      '-o',
      `tunnel=${type}`,
      '-o',
      `remote_ip=${own[family]}`,
      '-o',
      'key=42',
    ];
    await container(west, 'cw', towards(east));
    await container(east, 'ce', towards(west));
    const [w, e] = [ovsPhrasesFor(west), ovsPhrasesFor(east)];
    const [aw, ae] = [await w.addressOf('cw', 'far'), await e.addressOf('ce', 'far')];
    await w.again('the tunnel carries', 'cw', ae);
    expect(await e.reaches('ce', aw)).toBe(true);
    const outer = await captured(east.d.host, 'wire0', `src host ${west.own[family]} and ${filter}`, () =>
      w.ping('cw', ae),
    );
    expect(outer).toMatch(wire);
    expect(outer).toContain(`${aw} > ${ae}: ICMP echo request`);
    // Names are each daemon's own; TCP and whole packets go through.
    await east.d.docker('exec', '-d', 'ce', 'sh', '-c', 'while true; do echo far away | nc -l -p 80; done');
    const answer = async () => (await west.d.docker.try(['exec', 'cw', 'nc', '-w', '2', ae, '80'])).stdout;
    expect(await until('TCP', async () => (await answer()) || undefined)).toBe('far away\n');
    const mtu = Number(await w.inside('cw', 'cat /sys/class/net/eth0/mtu'));
    await w.inside('cw', `ping -c 1 -W 5 -s ${mtu - 28} ${ae}`);
    // Another key is another network.
    await west.d.docker('rm', '-f', 'cw');
    await west.d.docker('network', 'rm', 'far');
    await container(west, 'cw', [...towards(east).slice(0, -1), 'key=43']);
    expect(await w.reaches('cw', ae)).toBe(false);
    expect(await e.reaches('ce', aw)).toBe(false);
  },
);
