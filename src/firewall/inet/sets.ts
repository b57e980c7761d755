/** What the chains look up: networks, endpoints and published ports are elements of these. */
import type { SetDeclaration } from '../language.js';

const set = (
  name: string,
  comment: string,
  key: SetDeclaration['key'],
  rest: Pick<SetDeclaration, 'data' | 'interval'> = {},
): SetDeclaration => ({ name, key, comment, ...rest });

const setsOf = (family: 4 | 6): SetDeclaration[] => {
  const address = `ipv${family}_addr` as const;
  const target = ['inet_proto', 'inet_service'] as const;
  const reachable = [address, ...target] as const;
  const to = { data: [address, 'inet_service'] } as const;
  const kept = { data: [address], interval: true } as const;
  const run = { interval: true } as const;
  return [
    set(`gateways${family}`, 'our bridges’ own addresses', [address]),
    set(`snat${family}`, 'and which address that is', ['ifname'], { data: [address] }),
    set(`publish${family}`, 'ports published on one address', reachable, to),
    set(`publish_range${family}`, 'and in runs, which keep their numbers', reachable, kept),
    set(`publish_any${family}`, 'ports published on every address', target, to),
    set(`publish_any_range${family}`, 'and in runs, which keep their numbers', target, kept),
    set(`mesh${family}`, 'ports of the mesh, by how many tasks serve them', target, { data: ['verdict'] }),
    set(`mesh_slots${family}`, 'where each of them leads', [...target, 'slot'], to),
    set(`held${family}`, 'TCP ports of these: what of them comes to the host itself is a stray', reachable),
    set(`held_range${family}`, 'and in runs', reachable, run),
    set(`held_any${family}`, 'TCP ports on every address, likewise', target),
    set(`held_any_range${family}`, 'and in runs', target, run),
    set(`relay${family}`, 'ports on one address that the daemon carries', reachable),
    set(`relay_range${family}`, 'and in runs', reachable, run),
    set(`relay_any${family}`, 'ports on every address that the daemon carries', target),
    set(`relay_any_range${family}`, 'and in runs', target, run),
    set(`routed${family}`, 'container ports open to whoever routes to them', reachable),
    set(`routed_range${family}`, 'and in runs', reachable, run),
    set(`links${family}`, 'from . to . protocol . port, where containers may not talk freely', [
      address,
      address,
      ...target,
    ]),
  ];
};

export const SETS: readonly SetDeclaration[] = [
  set('bridges', 'our bridges', ['ifname']),
  set('foreign_bridges', 'those of them that are not of our making, and in no link group of ours', [
    'ifname',
  ]),
  set('switched', 'ports of Open vSwitch’s own process, which has their packets already', ['ifname']),
  set('same_bridge', 'each bridge twice: in and out are one', ['ifname', 'ifname']),
  set('direct', 'from . to: everything passes', ['ifname', 'ifname']),
  set('trusted_marks', 'packets with these marks reach every container', ['mark']),
  set('nat_bridges', 'those of them that published ports lead into', ['nf_proto', 'ifname']),
  set('routed_bridges', 'those whose containers are routed to', ['nf_proto', 'ifname']),
  set('open_bridges', 'and those that whoever routes there may enter', ['nf_proto', 'ifname']),
  set('out_of', 'those that nothing leaves, and nothing enters', ['nf_proto', 'ifname']),
  set('closed', 'bridges closed to flows under way as well', ['nf_proto', 'ifname']),
  set('from', 'bridges whose containers may not reach all of the host', ['nf_proto', 'ifname'], {
    data: ['verdict'],
  }),
  set('isolated', 'those whose flows under way may not either', ['nf_proto', 'ifname']),
  set('masqueraded', 'bridges whose packets leave with the address of the way out', ['nf_proto', 'ifname']),
  set('fixed_source', 'bridges whose packets leave with a fixed address', ['nf_proto', 'ifname']),
  ...setsOf(4),
  ...setsOf(6),
  set('mesh_bridges', 'the bridge of the ingress network, and this node’s MAC on it', ['ifname'], {
    data: ['ether_addr'],
  }),
  set('mesh_nodes', 'the bridge of the ingress network, and another node’s MAC on it', [
    'ifname',
    'ether_addr',
  ]),
  set('relay_port', 'where the relay listens', ['inet_proto'], { data: ['inet_service'] }),
  set('relay_guard', 'the relay’s own ports, closed to direct connections', ['inet_proto', 'inet_service']),
  set('vxlan', 'UDP ports of our VXLAN devices', ['inet_service']),
  set('sealed', 'and of those that send through WireGuard alone', ['inet_service']),
  set('vteps4', 'the cluster’s other hosts', ['ipv4_addr']),
  set('vteps6', 'the cluster’s other hosts', ['ipv6_addr']),
  set('vxlan_ways4', 'another host . this one . VXLAN’s port', ['ipv4_addr', 'ipv4_addr', 'inet_service']),
  set('vxlan_ways6', 'another host . this one . VXLAN’s port', ['ipv6_addr', 'ipv6_addr', 'inet_service']),
  set('api', 'ports of the API, closed to containers', ['inet_proto', 'inet_service']),
];
