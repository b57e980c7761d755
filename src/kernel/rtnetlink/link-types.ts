/** How each type of link is made, and what is its own (IFLA_INFO_DATA), as rtnetlink messages. Pure. */

import { addressText } from '../../model/address-bytes.js';
import { OWN_GROUP } from '../../plan/link-objects.js';
import type {
  BridgeLink,
  DummyLink,
  IpvlanLink,
  LinkObject,
  MacvlanLink,
  VethLink,
  VlanLink,
  VxlanLink,
  WireguardLink,
} from '../../plan/objects.js';
import {
  attr,
  attrStr,
  attrU8,
  attrU16,
  attrU32,
  message,
  NLM_F,
  nested,
  parseAttributes,
} from '../netlink.js';
import { addressOf, macOf } from './inet.js';
import { linkHeader, raised } from './link.js';
import {
  IFLA,
  IFLA_BRPORT,
  IFLA_INFO,
  IFLA_IPVLAN,
  IFLA_MACVLAN_MODE,
  IFLA_VLAN_ID,
  IFLA_VXLAN,
  IPVLAN_FLAG,
  IPVLAN_MODE,
  MACVLAN_MODE,
  RTM,
  VETH_INFO_PEER,
} from './numbers.js';

const CREATE = NLM_F.ACK | NLM_F.CREATE | NLM_F.EXCL;

export const createBridge = (o: BridgeLink): Buffer =>
  message(
    RTM.NEWLINK,
    CREATE,
    linkHeader(o.up ? raised(true) : {}),
    attrStr(IFLA.IFNAME, o.name),
    attr(IFLA.ADDRESS, macOf(o.mac)),
    attrU32(IFLA.MTU, o.mtu),
    attrU32(IFLA.GROUP, OWN_GROUP),
    nested(IFLA.LINKINFO, attrStr(IFLA_INFO.KIND, 'bridge')),
  );

/**
 * A veth uses one queue each way. Unasked, the kernel (≥ 5.15) sets aside one a processor, so that ethtool could raise
 * their number: hundreds of kB a container where there are 128.
 */
const ONE_QUEUE: readonly Buffer[] = [attrU32(IFLA.NUM_TX_QUEUES, 1), attrU32(IFLA.NUM_RX_QUEUES, 1)];

/**
 * Both ends in one message, both down: were the near end up, a container that raises its own would send through it before
 * it is guarded. `peerNs` is an open descriptor of the peer's namespace.
 */
/**
 * Of the host's end: the highest there is, because a bridge without a MAC of its own takes the lowest of its ports'. A
 * container must not change the MAC of somebody else's bridge, and with it the host's.
 */
const nearMac = (peerMac: string): string => `${peerMac.startsWith('fe') ? 'fa' : 'fe'}${peerMac.slice(2)}`;

export const createVeth = (o: VethLink, masterIndex: number, peerNs: number): Buffer =>
  message(
    RTM.NEWLINK,
    CREATE,
    linkHeader(),
    attrStr(IFLA.IFNAME, o.name),
    attr(IFLA.ADDRESS, macOf(nearMac(o.peerMac))),
    attrU32(IFLA.MTU, o.mtu),
    ...ONE_QUEUE,
    ...(masterIndex > 0 ? [attrU32(IFLA.MASTER, masterIndex)] : []),
    nested(
      IFLA.LINKINFO,
      attrStr(IFLA_INFO.KIND, 'veth'),
      nested(
        IFLA_INFO.DATA,
        attr(
          VETH_INFO_PEER,
          linkHeader(),
          attrStr(IFLA.IFNAME, o.peerName),
          attr(IFLA.ADDRESS, macOf(o.peerMac)),
          attrU32(IFLA.MTU, o.mtu),
          ...ONE_QUEUE,
          attrU32(IFLA.NET_NS_FD, peerNs),
        ),
      ),
    ),
  );

/** Changes what is a type's own, of a link that is there. */
const changed = (name: string, ...info: readonly Buffer[]): Buffer =>
  message(RTM.NEWLINK, NLM_F.ACK, linkHeader(), attrStr(IFLA.IFNAME, name), nested(IFLA.LINKINFO, ...info));

/** Settings of a bridge's port; only an existing port takes them, so they are a message of their own. */
const setPort = (name: string, ...settings: readonly Buffer[]): Buffer =>
  changed(name, attrStr(IFLA_INFO.SLAVE_KIND, 'bridge'), nested(IFLA_INFO.SLAVE_DATA, ...settings));
export const setBridgePort = (name: string, port: { hairpin: boolean; isolated: boolean }): Buffer =>
  setPort(
    name,
    attrU8(IFLA_BRPORT.MODE, port.hairpin ? 1 : 0),
    attrU8(IFLA_BRPORT.ISOLATED, port.isolated ? 1 : 0),
  );
/** It learns no addresses, and the bridge answers ARP and ND for neighbours behind it that it knows. */
export const setQuietPort = (name: string): Buffer =>
  setPort(name, attrU8(IFLA_BRPORT.LEARNING, 0), attrU8(IFLA_BRPORT.NEIGH_SUPPRESS, 1));

/** Made down, with our mark; `parent` is an index of the namespace that is asked, `ns` a descriptor of the link's own. */
const made = (
  o: LinkObject,
  info: readonly Buffer[],
  { parent, ns, master }: { readonly parent?: number; readonly ns?: number; readonly master?: number } = {},
): Buffer =>
  message(
    RTM.NEWLINK,
    CREATE,
    linkHeader(),
    attrStr(IFLA.IFNAME, o.name),
    attrU32(IFLA.GROUP, OWN_GROUP),
    ...(o.mtu > 0 ? [attrU32(IFLA.MTU, o.mtu)] : []),
    ...(parent === undefined ? [] : [attrU32(IFLA.LINK, parent)]),
    ...(ns === undefined ? [] : [attrU32(IFLA.NET_NS_FD, ns)]),
    ...(master === undefined ? [] : [attrU32(IFLA.MASTER, master)]),
    ...('mac' in o ? [attr(IFLA.ADDRESS, macOf(o.mac))] : []),
    nested(IFLA.LINKINFO, attrStr(IFLA_INFO.KIND, o.type), ...info),
  );

const macvlanData = ({ mode }: MacvlanLink): Buffer =>
  nested(IFLA_INFO.DATA, attrU32(IFLA_MACVLAN_MODE, MACVLAN_MODE[mode]));
const ipvlanData = ({ mode, flag }: IpvlanLink): Buffer =>
  nested(
    IFLA_INFO.DATA,
    attrU16(IFLA_IPVLAN.MODE, IPVLAN_MODE[mode]),
    attrU16(IFLA_IPVLAN.FLAGS, IPVLAN_FLAG[flag]),
  );
const data = (o: MacvlanLink | IpvlanLink): Buffer => (o.type === 'macvlan' ? macvlanData(o) : ipvlanData(o));

/** Right in its namespace and under its last name: `eth0` there never meets `eth0` of the host. */
export const createStacked = (o: MacvlanLink | IpvlanLink, parent: number, ns: number): Buffer =>
  made(o, [data(o)], { parent, ns });
/** Mode (and flag) of a link that is there. */
export const setStackedMode = (o: MacvlanLink | IpvlanLink): Buffer =>
  changed(o.name, attrStr(IFLA_INFO.KIND, o.type), data(o));
export const createVlan = (o: VlanLink, parent: number): Buffer =>
  made(o, [nested(IFLA_INFO.DATA, attrU16(IFLA_VLAN_ID, o.vlan))], { parent });
export const createDummy = (o: DummyLink): Buffer => made(o, []);
/** Keys and peers it is told by generic netlink. */
export const createWireguard = (o: WireguardLink): Buffer => made(o, []);

const attrPort = (type: number, port: number): Buffer => {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(port);
  return attr(type, bytes);
};
export const createVxlan = (o: VxlanLink, master: number): Buffer => {
  const local = addressOf(o.local);
  const data = nested(
    IFLA_INFO.DATA,
    attrU32(IFLA_VXLAN.ID, o.vni),
    attr(local.length === 4 ? IFLA_VXLAN.LOCAL : IFLA_VXLAN.LOCAL6, local),
    attrU8(IFLA_VXLAN.LEARNING, 0),
    attrPort(IFLA_VXLAN.PORT, o.port),
  );
  return made(o, [data], { master });
};

const nameOf = <N extends string>(
  names: Readonly<Record<N, number>>,
  value: number | undefined,
): N | undefined =>
  // Object.keys forgets the keys' type.
  (Object.keys(names) as N[]).find((name) => names[name] === value);

/** undefined: a mode that we never make (`source`). */
export const macvlanMode = (infoData: Buffer): MacvlanLink['mode'] | undefined =>
  nameOf(MACVLAN_MODE, parseAttributes(infoData).get(IFLA_MACVLAN_MODE)?.readUInt32LE());
export const ipvlanMode = (infoData: Buffer): Pick<IpvlanLink, 'mode' | 'flag'> | undefined => {
  const attributes = parseAttributes(infoData);
  const mode = nameOf(IPVLAN_MODE, attributes.get(IFLA_IPVLAN.MODE)?.readUInt16LE());
  const flag = nameOf(IPVLAN_FLAG, attributes.get(IFLA_IPVLAN.FLAGS)?.readUInt16LE());
  return mode && flag && { mode, flag };
};
export const vlanId = (infoData: Buffer): number =>
  parseAttributes(infoData).get(IFLA_VLAN_ID)?.readUInt16LE() ?? 0;
/** What cannot be changed of a VXLAN device; with learning off. undefined: another's, that we would not have made so. */
export const vxlanData = (infoData: Buffer): Pick<VxlanLink, 'vni' | 'local' | 'port'> | undefined => {
  const attributes = parseAttributes(infoData);
  const local = attributes.get(IFLA_VXLAN.LOCAL) ?? attributes.get(IFLA_VXLAN.LOCAL6);
  if (!local || attributes.get(IFLA_VXLAN.LEARNING)?.readUInt8() !== 0) return undefined;
  return {
    vni: attributes.get(IFLA_VXLAN.ID)?.readUInt32LE() ?? 0,
    local: addressText(local),
    port: attributes.get(IFLA_VXLAN.PORT)?.readUInt16BE() ?? 0,
  };
};
