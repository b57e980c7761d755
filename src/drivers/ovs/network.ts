/** Slice of an Open vSwitch network, and what networks on one named bridge share: switch, uplink. Pure. */
import { defined } from '../../defined.js';
import { switchedElement } from '../../firewall/index.js';
import { macFromText } from '../../model/mac.js';
import type { Network } from '../../model/network.js';
import { type KernelObject, type OvsLink, type OvsPortObject, objectKey } from '../../plan/objects.js';
import type { HostView, NetworkView } from '../contract.js';
import { hostAddresses, hostGuards, hostSysctls } from '../host-end.js';
import { bridgeFlows, cookieOf } from './flows.js';
import { bridgeObject, type OvsSettings, ovsSettings, ownName } from './settings.js';

const uplink = ({ bridge, uplink: name }: OvsSettings, owner: string): OvsPortObject[] =>
  name === undefined
    ? []
    : [{ kind: 'ovs-port', name, bridge, role: 'uplink', protected: false, externalIds: { viaduct: owner } }];

/** Peers hear each other over tunnels of their own: what one sends is never sent on to another, or it would go round. */
const tunnels = ({ bridge, tunnel, vlan }: OvsSettings, { id }: Network): OvsPortObject[] => {
  if (!tunnel) return [];
  const { type, remotes, local, key, port } = tunnel;
  return remotes.map((remote) => ({
    kind: 'ovs-port',
    name: `${type === 'vxlan' ? 'vx' : 'gr'}${macFromText(`${id} ${remote}`).replaceAll(':', '')}`,
    bridge,
    role: 'tunnel',
    ...defined({ tag: vlan }),
    protected: true,
    tunnel: { type, remote, ...defined({ local, key, port }) },
    externalIds: { viaduct: id },
  }));
};

/** Own bridge or shared: the host's interface is an internal port with an address of ours. */
const hostLink = ({ network }: NetworkView, settings: OvsSettings): OvsLink => ({
  kind: 'link',
  type: 'ovs',
  ns: 'host',
  name: ownName(network),
  bridge: settings.bridge,
  mac: settings.named ? macFromText(`ovs gateway ${network.id}`) : bridgeObject(settings, network).mac,
  mtu: settings.mtu,
  up: true,
  tag: settings.vlan ?? 0,
  network: network.id,
});

const switchObjects = (settings: OvsSettings, network: Network): KernelObject[] => {
  const bridge = bridgeObject(settings, network);
  const cookie = settings.named ? cookieOf('0'.repeat(12)) : cookieOf(network.id);
  const { uplink: tapped, datapath } = settings;
  return [
    bridge,
    ...bridgeFlows(settings.bridge, cookie, !settings.named),
    ...uplink(settings, bridge.owner),
    ...(datapath === 'netdev' && tapped !== undefined ? [switchedElement(tapped)] : []),
  ];
};

export const network = (view: NetworkView): readonly KernelObject[] => {
  const settings = ovsSettings(view.network, view.host);
  const { gateway } = settings;
  return [
    ...(settings.named ? [] : switchObjects(settings, view.network)),
    ...tunnels(settings, view.network),
    ...(gateway
      ? [
          hostLink(view, settings),
          ...hostSysctls(view, gateway),
          ...hostAddresses(view.network, gateway),
          ...hostGuards(view, gateway),
        ]
      : []),
  ];
};

/** A named bridge stays as long as one network is on it. */
export const shared = (networks: readonly Network[], host: HostView): readonly KernelObject[] => {
  const objects = new Map<string, KernelObject>();
  for (const one of networks) {
    const settings = ovsSettings(one, host);
    if (!settings.named) continue;
    for (const o of switchObjects(settings, one))
      if (!objects.has(objectKey(o))) objects.set(objectKey(o), o);
  }
  return [...objects.values()];
};
