/** One or more elements of every set of the ruleset, in canonical text: round trips are checked with them. */
import type { ElementObject } from '../../src/plan/objects.js';

const make =
  (family: ElementObject['family']) =>
  (set: string, key: string, data?: string): ElementObject => ({
    kind: 'element',
    family,
    set,
    key: key.split(' . '),
    ...(data === undefined ? {} : { data: data.split(' . ') }),
  });
const inet = make('inet');
const bridge = make('bridge');
const netdev = make('netdev');

export const SAMPLES: readonly ElementObject[] = [
  inet('bridges', 'br-0123456789ab'),
  inet('same_bridge', 'docker0 . docker0'),
  inet('direct', 'eth0 . docker0'),
  inet('trusted_marks', '4294967295'),
  inet('nat_bridges', 'ipv4 . docker0'),
  inet('routed_bridges', 'ipv6 . docker0'),
  inet('open_bridges', 'ipv4 . br-y'),
  inet('out_of', 'ipv4 . br-x'),
  inet('closed', 'ipv4 . br-x'),
  inet('from', 'ipv6 . br-x', 'goto from_internal'),
  inet('isolated', 'ipv4 . br-y'),
  inet('masqueraded', 'ipv4 . docker0'),
  inet('gateways4', '172.18.0.1'),
  inet('gateways6', 'fd00::1'),
  inet('fixed_source', 'ipv6 . br-x'),
  inet('snat4', 'br-x', '192.0.2.1'),
  inet('snat6', 'br-x', '2001:db8::1'),
  inet('publish4', '127.0.0.1 . tcp . 80', '172.18.0.2 . 8080'),
  inet('publish_any4', 'sctp . 65535', '172.18.0.2 . 1'),
  inet('publish_range4', '127.0.0.1 . udp . 20000-29999', '172.18.0.2'),
  inet('publish_range4', '192.0.2.1 . tcp . 7000', '172.18.0.2'),
  inet('publish_range4', '198.51.100.0/25 . tcp . 1-65535', '172.18.0.2'),
  inet('publish_range4', '203.0.113.1-203.0.113.7 . tcp . 5-6', '172.18.0.2'),
  inet('publish_any_range4', 'tcp . 20000-29999', '172.18.0.2'),
  inet('publish6', '2001:db8::5 . tcp . 80', 'fd00::2 . 8080'),
  inet('publish_any6', 'udp . 53', 'fd00::2 . 53'),
  inet('publish_range6', '2001:db8::/64 . tcp . 100-200', 'fd00:1:2:3:4:5:6:7'),
  inet('publish_any_range6', 'tcp . 100-200', 'fd00:1:2:3:4:5:6:7'),
  inet('mesh4', 'tcp . 8081', 'goto mesh_one_of_2'),
  inet('mesh_slots4', 'tcp . 8081 . 0', '10.0.0.3 . 80'),
  inet('mesh_slots4', 'tcp . 8081 . 1', '10.0.0.4 . 80'),
  inet('mesh6', 'udp . 53', 'goto mesh_one_of_1'),
  inet('mesh_slots6', 'udp . 53 . 0', 'fd00:77::3 . 53'),
  inet('held4', '127.0.0.1 . tcp . 8080'),
  inet('held_any4', 'tcp . 8080'),
  inet('held_range4', '192.0.2.1 . tcp . 9000-9999'),
  inet('held_any_range4', 'tcp . 10000-19999'),
  inet('held6', '2001:db8::5 . tcp . 8080'),
  inet('held_any6', 'tcp . 8080'),
  inet('held_range6', '2001:db8::5 . tcp . 9000-9999'),
  inet('held_any_range6', 'tcp . 10000-19999'),
  inet('relay4', '127.0.0.1 . tcp . 8080'),
  inet('relay_any4', 'tcp . 8080'),
  inet('relay_range4', '192.0.2.1 . tcp . 9000-9999'),
  inet('relay_any_range4', 'tcp . 10000-19999'),
  inet('routed4', '172.18.0.2 . tcp . 80'),
  inet('routed_range4', '172.18.0.2 . tcp . 80-99'),
  inet('routed6', 'fd00::2 . sctp . 80'),
  inet('routed_range6', 'fd00::2 . udp . 80-99'),
  inet('links4', '172.18.0.2 . 172.18.0.3 . tcp . 5432'),
  inet('links6', 'fd00::2 . fd00::3 . tcp . 5432'),
  inet('relay6', '::1 . tcp . 8080'),
  inet('relay_any6', 'tcp . 8080'),
  inet('relay_range6', '::1 . tcp . 9000-9999'),
  inet('relay_any_range6', 'tcp . 10000-19999'),
  inet('relay_port', 'tcp', '40001'),
  inet('relay_guard', 'tcp . 40001'),
  inet('api', 'tcp . 2375'),
  inet('switched', 'veth0123456789a'),
  inet('foreign_bridges', 'br0'),
  inet('vxlan', '4789'),
  inet('sealed', '4790'),
  inet('vteps4', '192.0.2.7'),
  inet('vteps6', '2001:db8::7'),
  inet('vxlan_ways4', '192.0.2.7 . 192.0.2.2 . 4789'),
  inet('vxlan_ways6', '2001:db8::7 . 2001:db8::2 . 4789'),
  inet('mesh_bridges', 'br-mesh', '02:43:00:00:00:01'),
  netdev('nodes', '02:43:00:00:00:01'),
  inet('mesh_nodes', 'br-mesh . 02:43:00:00:00:02'),
  netdev('macs', 'veth1 . 02:42:ac:12:00:02'),
  netdev('senders4', 'veth1 . 02:42:ac:12:00:02 . 172.18.0.2'),
  netdev('senders6', 'veth1 . 02:42:ac:12:00:02 . fe80::42:acff:fe12:2'),
  netdev('carried4', 'veth1 . 02:42:ac:12:00:02 . 10.244.1.0/24'),
  netdev('carried4', 'veth1 . 02:42:ac:12:00:02 . 172.18.0.100'),
  netdev('carried6', 'veth1 . 02:42:ac:12:00:02 . fd00:244::/64'),
  bridge('icc_off', 'veth1'),
  bridge('links4', '172.18.0.2 . 172.18.0.3 . udp . 53'),
  bridge('links6', 'fd00::2 . fd00::3 . udp . 53'),
];

/** Of maps that are kept as chains; their interfaces must be there. */
export const PORTS: readonly ElementObject[] = [
  netdev('guards', 'veth0123456789a', 'guard . 02:42:ac:12:00:02 . 172.18.0.2 . -'),
  netdev('guards', 'veth0123456789b', 'guard_router . 02:42:ac:12:00:03 . 172.18.0.3 . fd00:1:2:3:4:5:6:7'),
  netdev(
    'guards',
    'veth0123456789c',
    'guard . 02:42:ac:12:00:04 . - . fd00:1234:1234:1234:1234:1234:1234:1234',
  ),
  netdev('guards', 'veth0123456789d', 'guard . 02:42:0a:00:00:03 . 10.0.0.3 . - . 0x0243'),
  netdev('guards', 'br-0123456789ab', 'deaf . - . - . -'),
];

/** As the kernel has them: what an element is for is not told by it. */
export const unmarked = (elements: readonly ElementObject[]): ElementObject[] =>
  elements.map(({ guard: _, ...element }) => element);
