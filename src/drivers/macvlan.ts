/** The macvlan driver: each endpoint is an interface with a MAC of its own on the parent's wire, beside the host. */
import { forbidden, invalid } from '../errors.js';
import { shown } from '../model/address.js';
import type { Network } from '../model/network.js';
import { poolHolding } from '../model/pool.js';
import type { KernelObject, MacvlanLink } from '../plan/objects.js';
import type { Driver, EndpointView, NetworkOptions } from './contract.js';
import { mtuOption } from './options.js';
import { dummyName, onParent, parentOption } from './parent.js';
import { checkPools } from './pools.js';
import { checkMtu, sandboxEnd } from './sandbox-end.js';

type Mode = MacvlanLink['mode'];
const MODES: readonly Mode[] = ['bridge', 'private', 'vepa', 'passthru'];
const MODE = 'macvlan_mode';

interface MacvlanOptions {
  /** undefined: a dummy of the network's own */
  readonly parent: string | undefined;
  readonly mode: Mode;
  /** bytes; 0: the parent's */
  readonly mtu: number;
}

/** Throws invalid with moby's text for what cannot be; options it does not know it leaves alone, as Docker's. */
const readOptions = (request: NetworkOptions): MacvlanOptions => {
  const asked = request.options[MODE] || 'bridge';
  const mode = MODES.find((known) => known === asked);
  if (!mode)
    throw invalid(
      `requested macvlan mode '${shown(asked)}' is not valid, 'bridge' mode is the macvlan driver default`,
    );
  return { parent: parentOption('macvlan', request), mode, mtu: mtuOption(request.options) };
};

const parentOf = (network: Network): string => readOptions(network).parent ?? dummyName('dm-', network);

/** Any number of networks share a parent, but a passthru one has it to itself. */
const checkOthers = (network: Network, others: readonly Network[]): void => {
  const { mode } = readOptions(network);
  const parent = parentOf(network);
  for (const other of others) {
    if (other.driver !== 'macvlan' || other.configOnly || other.id === network.id) continue;
    if (parentOf(other) !== parent) continue;
    if (mode === 'passthru')
      throw forbidden(
        `cannot use mode passthru, macvlan network ${other.id} is already using parent interface ${parent}`,
      );
    if (readOptions(other).mode === 'passthru')
      throw forbidden(
        `macvlan network ${other.id} is already using parent interface ${parent} in mode passthru`,
      );
  }
};

/** The router is the physical network's: an address of it is known where the user gave one. */
const endpoint = (view: EndpointView): readonly KernelObject[] => {
  const { network, endpoint: own, sandbox } = view;
  const { parent, mode, mtu } = readOptions(network);
  const link: MacvlanLink = {
    kind: 'link',
    type: 'macvlan',
    ns: sandbox.netns,
    name: own.ifname,
    mac: own.mac,
    mtu,
    up: true,
    parent: parentOf(network),
    mode,
  };
  const router = (family: 4 | 6): string | undefined =>
    parent === undefined ? undefined : poolHolding(network, family === 4 ? own.ipv4 : own.ipv6)?.gateway;
  return [link, ...sandboxEnd(view, { mtu, router })];
};

export const macvlan: Driver = {
  name: 'macvlan',
  scope: 'local',
  capabilities: {
    interfaces: true,
    hostEnd: false,
    mac: true,
    ports: false,
    addresses: true,
    addressless: true,
  },
  ...onParent('macvlan', 'dm-', readOptions),
  validate(network, others) {
    checkMtu(network, readOptions(network).mtu);
    checkPools(network);
    checkOthers(network, others);
  },
  endpoint,
};
