/**
 * The interface of the host that macvlan and ipvlan networks lie on (`-o parent=…`): the user's, an 802.1q sub-interface
 * made for them (`eth0.50`), or a dummy of the network's own where none is given. Pure.
 */
import { forbidden, invalid } from '../errors.js';
import { shown } from '../model/address.js';
import type { Endpoint } from '../model/endpoint.js';
import { shortId } from '../model/ids.js';
import type { Family, Network } from '../model/network.js';
import { poolHolding } from '../model/pool.js';
import type { DummyLink, ForeignObject, KernelObject, MacvlanLink, VlanLink } from '../plan/objects.js';
import { checkPools, rivalsOf } from './checks.js';
import type { Driver, EndpointView, NetworkOptions } from './contract.js';
import { isInterfaceName, mtuOption } from './options.js';
import { checkMtu, sandboxEnd } from './sandbox-end.js';

const PARENT = 'parent';

/** undefined: none is given, so the network leads nowhere. Throws invalid. */
const parentOption = (driver: string, { options }: NetworkOptions): string | undefined => {
  const parent = options[PARENT];
  if (!parent) return undefined;
  if (parent === 'lo') throw invalid(`loopback interface is not a valid ${driver} parent link`);
  if (!isInterfaceName(parent)) throw invalid(`invalid parent interface name: ${shown(parent)}`);
  return parent;
};

/** `dm-` or `di-` and twelve digits, as Docker's. */
export const dummyName = (prefix: string, { id }: Pick<Network, 'id'>): string => `${prefix}${shortId(id)}`;

const dummy = (name: string): DummyLink => ({
  kind: 'link',
  type: 'dummy',
  ns: 'host',
  name,
  mtu: 0,
  up: true,
});

/** VLAN ids that 802.1q lets a sub-interface have. */
const VLAN = { min: 1, max: 4094 } as const;

/** What the user is told where an interface of this name is not there, and none can be made from the name. */
const missing = (parent: string): string => {
  const [, vlan, ...more] = parent.split('.');
  if (vlan === undefined) return `the requested parent interface ${parent} was not found on the Docker host`;
  if (more.length > 0)
    return `required interface name format is: name.vlan_id, ex. eth0.10 for vlan 10, instead received ${parent}`;
  return /^[0-9]+$/.test(vlan)
    ? `vlan id must be between ${VLAN.min}-${VLAN.max}, received: ${Number(vlan)}`
    : `unable to parse a valid vlan id from: ${vlan} (ex. eth0.10 for vlan 10)`;
};

/** Where the name says how to make it, it is made unless it is there; else it must be there. */
const parentObject = (name: string): VlanLink | ForeignObject => {
  const [, below, digits] = /^([^.]+)\.([0-9]{1,9})$/.exec(name) ?? [];
  const vlan = Number(digits);
  return below !== undefined && vlan >= VLAN.min && vlan <= VLAN.max
    ? { kind: 'link', type: 'vlan', ns: 'host', name, mtu: 0, up: true, parent: below, vlan }
    : { kind: 'foreign', ns: 'host', name, missing: missing(name) };
};

/** The given parents of all networks of a driver, each once. */
const parents = (driver: string, networks: readonly Network[]): readonly (VlanLink | ForeignObject)[] =>
  [...new Set(networks.flatMap((network) => parentOption(driver, network) ?? []))].map(parentObject);

interface OnParent {
  /** undefined: a dummy of the network's own */
  readonly parent: string | undefined;
  /** bytes; 0: the parent's */
  readonly mtu: number;
}

/** What an interface on a parent has whatever its type. */
type Common = Pick<MacvlanLink, 'kind' | 'ns' | 'name' | 'mtu' | 'up' | 'parent'>;

/** In what drivers on a parent differ. `Words`: what their options say of the interfaces. */
interface Stacking<Words> {
  readonly name: string;
  /** of the name of a network's own dummy */
  readonly prefix: string;
  readonly mac: boolean;
  /** Throws invalid with moby's text for what cannot be; options it does not know it leaves alone, as Docker's. */
  words(options: NetworkOptions['options']): Words;
  /** Why the other network cannot be on the same parent; undefined: it can. */
  conflict(own: Words, others: Words, other: Network, parent: string): string | undefined;
  link(common: Common, words: Words, endpoint: Endpoint): KernelObject;
  /** Do default routes lead to no router's address? */
  onLink(words: Words): boolean;
}

/** A driver whose interfaces lie on one of the host's. The router is the physical network's: no gateway address is taken. */
export const onParent = <Words>(stacking: Stacking<Words>): Driver => {
  const { name, prefix, mac, words, conflict, link, onLink } = stacking;
  const read = (request: NetworkOptions): Words & OnParent => ({
    ...words(request.options),
    parent: parentOption(name, request),
    mtu: mtuOption(request.options),
  });
  const parentOf = ({ id, options }: Pick<Network, 'id' | 'options'>): string =>
    options[PARENT] || dummyName(prefix, { id });
  /** An address of it is known where the user gave one. */
  const routerOf = ({ network, endpoint }: EndpointView, family: Family): string | undefined => {
    const options = read(network);
    if (options.parent === undefined) return undefined;
    if (onLink(options)) return 'on-link';
    return poolHolding(network, family === 4 ? endpoint.ipv4 : endpoint.ipv6)?.gateway;
  };
  return {
    name,
    scope: 'local',
    capabilities: { interfaces: true, hostEnd: false, mac, ports: false, addresses: true, addressless: true },
    gateways(request) {
      read(request);
      return { ipv4: false, ipv6: false };
    },
    leadsOut(request) {
      const out = read(request).parent !== undefined;
      return { ipv4: out, ipv6: out };
    },
    onInterface: parentOf,
    validate(network, others) {
      const [own, parent] = [read(network), parentOf(network)];
      checkMtu(network, own.mtu);
      checkPools(network);
      for (const other of rivalsOf(network, others)) {
        const why = parentOf(other) === parent ? conflict(own, read(other), other, parent) : undefined;
        if (why) throw forbidden(why);
      }
    },
    shared: (networks) => parents(name, networks),
    network: ({ network }) => (read(network).parent === undefined ? [dummy(dummyName(prefix, network))] : []),
    endpoint(view) {
      const { network, endpoint, sandbox } = view;
      const options = read(network);
      const { mtu } = options;
      const parent = parentOf(network);
      const common = {
        kind: 'link',
        ns: sandbox.netns,
        name: endpoint.ifname,
        mtu,
        up: true,
        parent,
      } as const;
      return [
        link(common, options, endpoint),
        ...sandboxEnd(view, { mtu, router: (family) => routerOf(view, family) }),
      ];
    },
  };
};
