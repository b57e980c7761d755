/**
 * The interface of the host that macvlan and ipvlan networks lie on (`-o parent=…`): the user's, an 802.1q sub-interface
 * made for them (`eth0.50`), or a dummy of the network's own where none is given. Pure.
 */
import { invalid } from '../errors.js';
import { shown } from '../model/address.js';
import { shortId } from '../model/ids.js';
import type { Network } from '../model/network.js';
import type { DummyLink, ForeignObject, VlanLink } from '../plan/objects.js';
import type { Driver, NetworkOptions } from './contract.js';
import { isInterfaceName } from './options.js';

const PARENT = 'parent';

/** undefined: none is given, so the network leads nowhere. Throws invalid. */
export const parentOption = (driver: string, { options }: NetworkOptions): string | undefined => {
  const parent = options[PARENT];
  if (!parent) return undefined;
  if (parent === 'lo') throw invalid(`loopback interface is not a valid ${driver} parent link`);
  if (!isInterfaceName(parent)) throw invalid(`invalid parent interface name: ${shown(parent)}`);
  return parent;
};

/** `dm-` or `di-` and twelve digits, as Docker's. */
export const dummyName = (prefix: string, { id }: Network): string => `${prefix}${shortId(id)}`;

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

/** What of a network's options says on what it lies. */
type Read = (request: NetworkOptions) => { readonly parent: string | undefined };

/**
 * What drivers on a parent do alike; the router is the physical network's, so no gateway address is taken. `prefix`: of
 * the name of a network's own dummy. `read` throws what `validate` would throw of the options alone.
 */
export const onParent = (
  driver: string,
  prefix: string,
  read: Read,
): Pick<Driver, 'gateways' | 'leadsOut' | 'shared' | 'network'> => ({
  gateways(request) {
    read(request);
    return { ipv4: false, ipv6: false };
  },
  leadsOut(request) {
    const out = read(request).parent !== undefined;
    return { ipv4: out, ipv6: out };
  },
  shared: (networks) => parents(driver, networks),
  network: ({ network }) => (read(network).parent === undefined ? [dummy(dummyName(prefix, network))] : []),
});
