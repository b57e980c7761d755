/** A host as tests want it: a neighbour on one wire, wires that lead nowhere, links of plugins', and a bridge of somebody else's. */
import { add } from './links.js';
import { Machine } from './machine.js';
import { namespaceOf, newNamespace } from './world.js';

export const ADDRESSES = {
  host: { 4: '192.0.2.1', 6: '2001:db8::1' },
  /** the neighbour's; it sends by the host whatever is not on the wire */
  lan: { 4: '192.0.2.9', 6: '2001:db8::9' },
} as const;

/** On which macvlan, ipvlan and Open vSwitch networks may lie. */
export const PARENTS = { macvlan: 'eth6', ipvlan: 'eth8', uplink: 'eth7' } as const;
export const WIRE = 'eth9';

/** A bridge with an address that no network of ours gave it. */
export const THEIRS = { name: 'theirs0', address: '10.77.0.1/24' } as const;

/** What a plugin makes for the container on its network. */
export const pluginLink = (container: number, network: string): string => `tap${container}${network}`;

export const aHost = (pluginLinks: readonly string[] = []): Machine => {
  const machine = new Machine();
  const { world } = machine;
  world.namespaces.set('lan', newNamespace('lan'));
  const near = machine.plug('host', WIRE, { mac: '06:00:00:00:01:01' });
  const far = machine.plug('lan', 'eth0', { mac: '06:00:00:00:01:09' });
  near.peer = far;
  far.peer = near;
  for (const [link, own] of [
    [near, ADDRESSES.host],
    [far, ADDRESSES.lan],
  ] as const)
    for (const address of [`${own[4]}/24`, `${own[6]}/64`]) link.addresses.add(address);
  for (const family of [4, 6] as const)
    namespaceOf(world, 'lan').routes.push({
      family,
      destination: family === 4 ? '0.0.0.0/0' : '::/0',
      link: far,
      via: ADDRESSES.host[family],
      metric: 0,
    });
  for (const name of Object.values(PARENTS)) machine.plug('host', name);
  for (const name of pluginLinks) machine.plug('host', name, { up: false });
  const theirs = add(namespaceOf(world, 'host'), 'bridge', THEIRS.name, { up: true, ours: false });
  theirs.addresses.add(THEIRS.address);
  return machine;
};
