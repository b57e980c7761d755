/** Internal interfaces of Open vSwitch: ovs-vswitchd makes them as its database says; raising them is ours. */
import { same } from '../../plan/equal.js';
import type { OvsLink } from '../../plan/objects.js';
import type { DumpedLink } from '../rtnetlink/link.js';
import type { LinkContext, LinkRow, Sight } from './contract.js';
import { raise } from './make.js';

/** What they are in the kernel: `tun` with the userspace datapath. */
const OVS_TYPES: ReadonlySet<string> = new Set(['openvswitch', 'tun']);
/** The one device of the kernel datapath that all its ports have as master. */
export const OVS_SYSTEM = 'ovs-system';

const present = (o: OvsLink, found: DumpedLink): boolean =>
  OVS_TYPES.has(found.type) && found.up === o.up && found.mtu === o.mtu && found.mac === o.mac;

const remove = ({ ovs }: LinkContext, o: OvsLink): void => ovs.deleteLink(o);

/** Ours are those that the database has with our mark; what it does not know of them is whether they are up. */
const recognise = (found: DumpedLink, { claimed }: Sight): OvsLink | undefined => {
  const told = claimed(found.name);
  if (told?.type !== 'ovs' || !OVS_TYPES.has(found.type)) return undefined;
  return { ...told, mac: found.mac, mtu: found.mtu, up: found.up };
};

export const ovs: LinkRow<OvsLink> = {
  names: /^ovs-[0-9a-f]{11}$/,
  recognise,
  create(context, o) {
    context.ovs.createLink(o);
    context.session.forget(o.ns, o.name);
    if (o.up) raise(context.session, o);
  },
  replace(context, o, before) {
    if (!same({ ...o, up: before.up }, before)) context.ovs.createLink(o);
    if (o.up !== before.up) raise(context.session, o);
  },
  delete: remove,
  gone: remove,
  present: (_, o, found) => present(o, found),
};
