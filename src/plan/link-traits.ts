/**
 * What a plan must know of each type of interface: what the kernel cannot change of it, and how people write it. A mapped
 * type over the types: a type without a row does not compile.
 */
import type { Service } from './kinds/kind.js';
import type { LinkObject, LinkOf, LinkType, Netns } from './link-objects.js';

export interface LinkTraits<L extends LinkObject> {
  /** makes it and takes it away instead of the kernel */
  readonly service?: Service;
  /** what cannot be changed: where it differs the link is made anew, with all it carries */
  fixed(link: L): readonly unknown[];
  /** its further interfaces (a veth has two) */
  ends?(link: L): readonly { readonly ns: Netns; readonly name: string }[];
  /** the arguments of `ip link add NAME` before `mtu` and `up`, and those behind them */
  before(link: L): string;
  type(link: L): string;
  /** the arguments of `ip link set NAME` for what differs, without mtu and up */
  changes(link: L, before: L): readonly string[];
}

const on = (value: boolean): string => (value ? 'on' : 'off');
const flag = (name: string, set: boolean): string => (set ? ` ${name} on` : '');
const changed = <L, K extends keyof L>(
  link: L,
  before: L,
  key: K,
  say: (value: L[K]) => string,
): readonly string[] => (link[key] === before[key] ? [] : [say(link[key])]);

const TRAITS: { readonly [T in LinkType]: LinkTraits<LinkOf<T>> } = {
  bridge: {
    // A bridge becomes or ceases to be the user's own.
    fixed: ({ owned }) => [owned],
    before: ({ mac }) => `address ${mac}`,
    type: ({ owned }) => `type bridge${owned ? '' : '  # not ours'}`,
    changes: (link, before) => [
      ...changed(link, before, 'mac', (mac) => `address ${mac}`),
      ...changed(
        link,
        before,
        'local',
        () => `; bridge fdb replace ${link.mac} dev ${link.name} self permanent`,
      ),
    ],
  },
  veth: {
    fixed: ({ peerNs, peerName, peerMac }) => [peerNs, peerName, peerMac],
    ends: ({ peerNs, peerName }) => [{ ns: peerNs, name: peerName }],
    before: ({ master }) => (master === '' ? '' : `master ${master}`),
    type: ({ hairpin, isolated, peerName, peerNs, peerMac }) =>
      `${flag('hairpin', hairpin)}${flag('isolated', isolated)} type veth peer ${peerName} netns ${peerNs} address ${peerMac}`.trimStart(),
    changes: (link, before) => [
      ...changed(link, before, 'master', (master) => `master ${master}`),
      ...changed(link, before, 'hairpin', (hairpin) => `hairpin ${on(hairpin)}`),
      ...changed(link, before, 'isolated', (isolated) => `isolated ${on(isolated)}`),
    ],
  },
  macvlan: {
    fixed: ({ parent, mode }) => [parent, mode === 'passthru'],
    before: ({ parent, mac }) => `link ${parent} address ${mac}`,
    type: ({ mode }) => `type macvlan mode ${mode}`,
    changes: (link, before) => [
      ...changed(link, before, 'mac', (mac) => `address ${mac}`),
      ...changed(link, before, 'mode', (mode) => `type macvlan mode ${mode}`),
    ],
  },
  ipvlan: {
    fixed: ({ parent }) => [parent],
    before: ({ parent }) => `link ${parent}`,
    type: ({ mode, flag }) => `type ipvlan mode ${mode} ${flag}`,
    changes: (link, before) =>
      link.mode === before.mode && link.flag === before.flag
        ? []
        : [`type ipvlan mode ${link.mode} ${link.flag}`],
  },
  vlan: {
    fixed: ({ parent, vlan }) => [parent, vlan],
    before: ({ parent }) => `link ${parent}`,
    type: ({ vlan }) => `type vlan id ${vlan}`,
    changes: () => [],
  },
  moved: {
    fixed: ({ source }) => [source],
    before: ({ source, mac }) => `moved from ${source}${mac === '' ? '' : ` address ${mac}`}`,
    type: () => '',
    changes: (link, before) => changed(link, before, 'mac', (mac) => `address ${mac}`),
  },
  ovs: {
    service: 'ovs',
    fixed: ({ bridge }) => [bridge],
    before: ({ mac }) => `address ${mac}`,
    type: ({ name, bridge, tag }) =>
      `type ovs ${name === bridge ? 'local' : `on ${bridge}`}${tag === 0 ? '' : ` tag ${tag}`}`,
    changes: (link, before) => [
      ...changed(link, before, 'mac', (mac) => `address ${mac}`),
      ...changed(link, before, 'tag', (tag) => `tag ${tag}`),
    ],
  },
  vxlan: {
    // Off its bridge it has lost there what it knows.
    fixed: ({ vni, local, port, master }) => [vni, local, port, master],
    before: () => '',
    type: ({ vni, local, port, master }) =>
      `type vxlan id ${vni} local ${local} dstport ${port} nolearning master ${master} learning off neigh_suppress on`,
    changes: (link, before) =>
      changed(link, before, 'quiet', () => 'type bridge_slave learning off neigh_suppress on'),
  },
  wireguard: {
    fixed: () => [],
    before: () => '',
    type: ({ name, port, key }) =>
      `type wireguard; wg set ${name} listen-port ${port} private-key FILE  # public key ${key}`,
    changes: (link, before) => [
      ...changed(link, before, 'port', (port) => `; wg set ${link.name} listen-port ${port}`),
      ...changed(link, before, 'key', (key) => `; wg set ${link.name} private-key FILE  # public key ${key}`),
    ],
  },
  dummy: { fixed: () => [], before: () => '', type: () => 'type dummy', changes: () => [] },
};

/** The table pairs each type with the row of exactly that type. */
export const traitsOf = <L extends LinkObject>(link: L): LinkTraits<L> =>
  TRAITS[link.type] as unknown as LinkTraits<L>;
