/**
 * Veth pairs: made, moved, raised and looked at. Invariant: nothing passes before both ends are raised together,
 * whatever a container does to its own.
 */
import { existsSync } from 'node:fs';
import { conflict } from '../../errors.js';
import type { VethLink } from '../../plan/objects.js';
import { type Announcement, announce } from '../announce.js';
import { NAMESPACE_LINGERS } from '../reaper.js';
import { carriesIpv6, changeLink, type DumpedLink, getLink, setNoIpv6Address } from '../rtnetlink/link.js';
import { createVeth, setBridgePort } from '../rtnetlink/link-types.js';
import type { Look, Session } from '../session.js';
import type { LinkContext, LinkRow, Sight } from './contract.js';
import { make, raise } from './make.js';
import { OVS_SYSTEM } from './ovs.js';

let ipv6: boolean | undefined;
const hasIpv6 = (): boolean => {
  ipv6 ??= existsSync('/proc/sys/net/ipv6');
  return ipv6;
};

/** Being plugged into Open vSwitch, whose kernel datapath is a master too, is said by an object of its own. */
const masterPresent = (look: Look, o: VethLink, near: DumpedLink): boolean => {
  if (near.master === 0) return o.master === '';
  return near.master === look.index(o.ns, o.master === '' ? OVS_SYSTEM : o.master);
};

const portPresent = (look: Look, o: VethLink, near: DumpedLink): boolean => {
  return (
    masterPresent(look, o, near) &&
    near.hairpin === (o.master !== '' && o.hairpin) &&
    near.isolated === (o.master !== '' && o.isolated)
  );
};

const present = (look: Look, o: VethLink, near: DumpedLink): boolean => {
  const far = look.link(o.peerNs, o.peerName);
  if (!far || near.type !== 'veth' || near.peer !== far.index || far.peer !== near.index) return false;
  return (
    far.mac === o.peerMac &&
    near.mtu === o.mtu &&
    far.mtu === o.mtu &&
    (near.up && far.up) === o.up &&
    portPresent(look, o, near)
  );
};

const masterIndex = (session: Session, o: VethLink): number => {
  if (o.master === '') return 0;
  const index = session.index(o.ns, o.master);
  if (index === 0)
    throw conflict(
      `the bridge ${o.master} is not there: one that is not ours is its administrator’s to make`,
    );
  return index;
};

const there = (session: Session, o: VethLink): boolean => {
  const near = session.link(o.ns, o.name);
  return (
    near !== undefined &&
    (present(session, { ...o, up: false }, near) || present(session, { ...o, up: true }, near))
  );
};

/** Raises or lowers both ends. The neighbours hear of the new addresses just before the peer can answer for them. */
const setUp = ({ session, given }: LinkContext, o: VethLink): void => {
  if (o.up && o.master !== '') announce(session, announcement(o, given(o.peerNs, o.peerName)));
  raise(session, o);
  const operation = `link ${o.up ? 'up' : 'down'} ${o.name} peer ${o.peerName}`;
  const change = changeLink(o.peerName, { up: o.up });
  session.socket(o.peerNs).request(o.up ? [change, getLink(o.peerName)] : [change], operation);
  if (o.up) settleCarrier(session, o);
};

/**
 * The bridge hears of the new carrier by a work item that waits for the rtnl lock, and drops frames until then: a lost
 * ARP request costs a second. Asking for a link makes the kernel (≥ 6.8, `linkwatch_sync_dev`) do it now: for the peer,
 * whose IPv6 waits for it (asked when it was raised), for the port, and for the bridge, whose own carrier follows its
 * first port.
 */
const settleCarrier = (session: Session, o: VethLink): void => {
  const names = o.master === '' ? [o.name] : [o.name, o.master];
  session.socket(o.ns).attempt(names.map(getLink), `link get ${o.name}`);
};

const announcement = (o: VethLink, addresses: readonly string[]): Announcement => ({
  ns: o.ns,
  bridge: o.master,
  mac: o.peerMac,
  addresses,
});

const create = (context: LinkContext, o: VethLink): void => {
  const { session } = context;
  const master = masterIndex(session, o);
  const known =
    make(context, o, {
      message: () => createVeth(o, master, session.descriptor(o.peerNs)),
      names: [
        { ns: o.ns, name: o.name },
        { ns: o.peerNs, name: o.peerName },
      ],
      there: () => there(session, o),
      // Without it the near end would have a link-local address until its IPv6 is switched off.
      alongside: carriesIpv6(o.mtu) && hasIpv6() ? [setNoIpv6Address(o.name)] : [],
    }) === 'there';
  try {
    if (o.master !== '' && (o.hairpin || o.isolated))
      session.socket(o.ns).request([setBridgePort(o.name, o)], `link create ${o.name}`);
    if (o.up || known) setUp(context, o);
  } catch (error) {
    const made = known ? undefined : session.link(o.ns, o.name);
    if (made) remove(context, o, made.index);
    throw error;
  }
};

const portChanged = (o: VethLink, before: VethLink): boolean =>
  o.master !== '' &&
  (o.hairpin !== before.hairpin || o.isolated !== before.isolated || o.master !== before.master);

const replace = (context: LinkContext, o: VethLink, before: VethLink): void => {
  const { session } = context;
  const change = {
    ...(o.mtu === before.mtu ? {} : { mtu: o.mtu }),
    ...(o.master === before.master ? {} : { master: masterIndex(session, o) }),
  };
  const messages = Object.keys(change).length > 0 ? [changeLink(o.name, change)] : [];
  if (portChanged(o, before)) messages.push(setBridgePort(o.name, o));
  if (messages.length > 0) session.socket(o.ns).request(messages, `link change ${o.name}`);
  if (change.mtu !== undefined)
    session.socket(o.peerNs).request([changeLink(o.peerName, { mtu: o.mtu })], `link change ${o.peerName}`);
  if (o.up !== before.up) setUp(context, o);
};

/** One whose peer's namespace is dropped is left to the kernel first. */
const remove = ({ session, reaper, dropped }: LinkContext, o: VethLink, index: number): void => {
  session.forget(o.peerNs, o.peerName);
  const peer = { ns: o.peerNs, name: o.peerName };
  reaper.cut(session, { ns: o.ns, name: o.name, index, peer }, dropped.has(o.peerNs) ? NAMESPACE_LINGERS : 0);
};

const OWN_NAME = /^veth[0-9a-f]{11}$/;

/** One whose peer is in no namespace of ours has an empty `peerNs`: it is to be deleted. */
const recognise = (near: DumpedLink, { ns, hostName, farEnd }: Sight): VethLink | undefined => {
  if (near.type !== 'veth' || ns !== 'host' || !OWN_NAME.test(near.name)) return undefined;
  const { name, mtu, hairpin, isolated } = near;
  const far = farEnd(near);
  const master = hostName(near.master);
  return {
    kind: 'link',
    type: 'veth',
    ns,
    name,
    mtu,
    up: near.up && far?.link.up === true,
    // Being plugged into Open vSwitch is said by a port of its own.
    master: master === OVS_SYSTEM ? '' : master,
    hairpin,
    isolated,
    peerNs: far?.ns ?? '',
    peerName: far?.link.name ?? '',
    peerMac: far?.link.mac ?? '',
  };
};

export const veth: LinkRow<VethLink> = {
  names: OWN_NAME,
  recognise,
  create,
  replace,
  deleteAt: remove,
  present,
  nearPresent: (look, o, found) =>
    found.type === 'veth' && found.mtu === o.mtu && (found.up || !o.up) && portPresent(look, o, found),
};
