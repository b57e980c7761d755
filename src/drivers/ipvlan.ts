/** The ipvlan driver: each endpoint is an interface that shares the parent's MAC, told apart by its addresses alone. */
import { forbidden, invalid } from '../errors.js';
import { shown } from '../model/address.js';
import type { Network } from '../model/network.js';
import { poolHolding } from '../model/pool.js';
import type { IpvlanLink, KernelObject } from '../plan/objects.js';
import type { Driver, EndpointView, NetworkOptions } from './contract.js';
import { mtuOption } from './options.js';
import { dummyName, onParent, parentOption } from './parent.js';
import { checkPools } from './pools.js';
import { checkMtu, sandboxEnd } from './sandbox-end.js';

type Mode = IpvlanLink['mode'];
type Flag = IpvlanLink['flag'];
const MODES: readonly Mode[] = ['l2', 'l3', 'l3s'];
const FLAGS: readonly Flag[] = ['bridge', 'private', 'vepa'];

interface IpvlanOptions {
  /** undefined: a dummy of the network's own */
  readonly parent: string | undefined;
  readonly mode: Mode;
  readonly flag: Flag;
  /** bytes; 0: the parent's */
  readonly mtu: number;
}

/** Throws invalid with moby's text for what cannot be; options it does not know it leaves alone, as Docker's. */
const readOptions = (request: NetworkOptions): IpvlanOptions => {
  const asked = request.options.ipvlan_mode || 'l2';
  const mode = MODES.find((known) => known === asked);
  if (!mode)
    throw invalid(
      `requested ipvlan mode '${shown(asked)}' is not valid, 'l2' mode is the ipvlan driver default`,
    );
  const askedFlag = request.options.ipvlan_flag || 'bridge';
  const flag = FLAGS.find((known) => known === askedFlag);
  if (!flag)
    throw invalid(
      `requested ipvlan flag '${shown(askedFlag)}' is not valid, 'bridge' is the ipvlan driver default`,
    );
  return { parent: parentOption('ipvlan', request), mode, flag, mtu: mtuOption(request.options) };
};

const parentOf = (network: Network): string => readOptions(network).parent ?? dummyName('di-', network);

/** Mode and flag are the parent's, so a parent has one network. */
const checkOthers = (network: Network, others: readonly Network[]): void => {
  const parent = parentOf(network);
  for (const other of others) {
    if (other.driver !== 'ipvlan' || other.configOnly || other.id === network.id) continue;
    if (parentOf(other) === parent)
      throw forbidden(`network ${dummyName('di-', other)} is already using parent interface ${parent}`);
  }
};

/** In l3 modes the host's routing takes over where the interface ends: no router is asked for by ARP. */
const routerOf = ({ network, endpoint }: EndpointView, family: 4 | 6): string | undefined => {
  const { parent, mode } = readOptions(network);
  if (parent === undefined) return undefined;
  if (mode !== 'l2') return 'on-link';
  return poolHolding(network, family === 4 ? endpoint.ipv4 : endpoint.ipv6)?.gateway;
};

const endpoint = (view: EndpointView): readonly KernelObject[] => {
  const { network, endpoint: own, sandbox } = view;
  const { mode, flag, mtu } = readOptions(network);
  const link: IpvlanLink = {
    kind: 'link',
    type: 'ipvlan',
    ns: sandbox.netns,
    name: own.ifname,
    mtu,
    up: true,
    parent: parentOf(network),
    mode,
    flag,
  };
  return [link, ...sandboxEnd(view, { mtu, router: (family) => routerOf(view, family) })];
};

export const ipvlan: Driver = {
  name: 'ipvlan',
  scope: 'local',
  capabilities: {
    interfaces: true,
    hostEnd: false,
    mac: false,
    ports: false,
    addresses: true,
    addressless: true,
  },
  ...onParent('ipvlan', 'di-', readOptions),
  validate(network, others) {
    checkMtu(network, readOptions(network).mtu);
    checkPools(network);
    checkOthers(network, others);
  },
  endpoint,
};
