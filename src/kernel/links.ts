/**
 * Makes, changes and deletes links. Invariants: a veth's near end is up from the start and its peer decides whether it
 * carries traffic; a user's own bridge is raised but never made, changed or deleted.
 */
import { existsSync } from 'node:fs';
import { KernelError } from '../errors.js';
import { isMade } from '../plan/depend.js';
import type { BridgeLink, LinkObject, VethLink } from '../plan/objects.js';
import { type Announcement, announce } from './announce.js';
import { linkPresent } from './look.js';
import { NAMESPACE_LINGERS, type Reaper } from './reaper.js';
import {
  carriesIpv6,
  changeLink,
  createBridge,
  createVeth,
  getLink,
  type LinkChange,
  setBridgePort,
  setNoIpv6Address,
} from './rtnetlink/link.js';
import type { Session } from './session.js';

const EEXIST = 17;
const ENODEV = 19;

/** What a plan as a whole tells of its links. */
export interface LinkContext {
  readonly session: Session;
  readonly reaper: Reaper;
  /** namespaces that the plan drops: their links die with them */
  readonly dropped: ReadonlySet<string>;
  /** names of the veths that the plan made: their near ends are up already */
  readonly fresh: Set<string>;
  /** bare addresses that the plan gives the peer */
  readonly given: (link: VethLink) => readonly string[];
}

let ipv6: boolean | undefined;
const hasIpv6 = (): boolean => {
  ipv6 ??= existsSync('/proc/sys/net/ipv6');
  return ipv6;
};

/** Names can be held by one dying link at each end, and each can die between our look and our request. */
const ATTEMPTS = 6;

/** Sends a create; frees the names that dying links still hold, and takes an identical link for a success. */
const make = (context: LinkContext, o: LinkObject, message: () => Buffer): 'made' | 'there' => {
  const { session, reaper } = context;
  const operation = `link create ${o.name}`;
  let acknowledgement = '';
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const [outcome] = session.socket(o.ns).attempt([message()], operation);
    if (!outcome?.errno) return 'made';
    acknowledgement = outcome.acknowledgement;
    if (outcome.errno !== EEXIST) throw new KernelError(outcome.errno, operation, acknowledgement);
    const near = reaper.evict(session, o.ns, o.name);
    const far = o.type !== 'veth' || reaper.evict(session, o.peerNs, o.peerName);
    if (!near || !far) break;
  }
  if (linkPresent(session, { ...o, up: false }) || linkPresent(session, { ...o, up: true })) return 'there';
  throw new KernelError(EEXIST, operation, acknowledgement || 'another link has this name');
};

const createOwnBridge = (context: LinkContext, o: BridgeLink): void => {
  const known = make(context, o, () => createBridge(o)) === 'there';
  if (known) setUp(context, o);
};

const useForeignBridge = ({ session }: LinkContext, o: BridgeLink): void => {
  const found = session.link(o.ns, o.name);
  if (found?.type !== 'bridge')
    throw new KernelError(ENODEV, `link use ${o.name}`, found ? 'not a bridge' : 'no such bridge');
  if (o.up && !found.up)
    session.socket(o.ns).request([changeLink(found.index, { up: true })], `link up ${o.name}`);
};

const masterIndex = (session: Session, o: VethLink): number => {
  if (o.master === '') return 0;
  const index = session.index(o.ns, o.master);
  if (index === 0) throw new KernelError(ENODEV, `link create ${o.name}`, `no bridge ${o.master}`);
  return index;
};

const createPair = (context: LinkContext, o: VethLink): void => {
  const { session } = context;
  const master = masterIndex(session, o);
  const known = make(context, o, () => createVeth(o, master, session.descriptor(o.peerNs))) === 'there';
  try {
    const operation = `link create ${o.name}`;
    if (o.master !== '' && (o.hairpin || o.isolated))
      session.socket(o.ns).request([setBridgePort(o.name, o)], operation);
    // A kernel that will not hear of it gives a link-local address too many; no reason to refuse the container.
    if (carriesIpv6(o.mtu) && hasIpv6()) session.socket(o.ns).attempt([setNoIpv6Address(o.name)], operation);
    if (!known) context.fresh.add(o.name);
    if (o.up || known) setUp(context, o);
  } catch (error) {
    if (!known) deleteLink(context, o);
    throw error;
  }
};

export const createLink = (context: LinkContext, o: LinkObject): void => {
  if (o.type === 'veth') createPair(context, o);
  else if (isMade(o)) createOwnBridge(context, o);
  else useForeignBridge(context, o);
};

/** Raises or lowers both ends. The neighbours hear of the new addresses just before the peer can answer for them. */
const setUp = ({ session, given, fresh }: LinkContext, o: LinkObject): void => {
  const operation = `link ${o.up ? 'up' : 'down'} ${o.name}`;
  if (o.type === 'veth' && o.up && o.master !== '') announce(session, announcement(o, given(o)));
  if (!o.up || !fresh.has(o.name))
    session.socket(o.ns).request([changeLink(o.name, { up: o.up })], operation);
  if (o.type === 'veth')
    session
      .socket(o.peerNs)
      .request([changeLink(o.peerName, { up: o.up })], `${operation} peer ${o.peerName}`);
  if (o.type === 'veth' && o.up) settleCarrier(session, o);
};

/**
 * The bridge hears of the new carrier by a work item that waits for the rtnl lock, and drops frames until then: a lost
 * ARP request costs a second. Asking for a link makes the kernel (≥ 6.8, `linkwatch_sync_dev`) do it now: for the peer,
 * whose IPv6 waits for it, for the port, and for the bridge, whose own carrier follows its first port.
 */
const settleCarrier = (session: Session, o: VethLink): void => {
  const names = o.master === '' ? [o.name] : [o.name, o.master];
  session.socket(o.peerNs).attempt([getLink(o.peerName)], `link get ${o.peerName}`);
  session.socket(o.ns).attempt(names.map(getLink), `link get ${o.name}`);
};

const announcement = (o: VethLink, addresses: readonly string[]): Announcement => ({
  ns: o.ns,
  bridge: o.master,
  mac: o.peerMac,
  addresses,
});

/** What of a link's state differs, without up. */
const changes = ({ session }: LinkContext, o: LinkObject, before: LinkObject): LinkChange => ({
  ...(o.mtu === before.mtu ? {} : { mtu: o.mtu }),
  ...(o.type === 'bridge' && before.type === 'bridge' && o.mac !== before.mac ? { mac: o.mac } : {}),
  ...(o.type === 'veth' && before.type === 'veth' && o.master !== before.master
    ? { master: masterIndex(session, o) }
    : {}),
});

const portChanged = (o: LinkObject, before: LinkObject): o is VethLink =>
  o.type === 'veth' &&
  before.type === 'veth' &&
  o.master !== '' &&
  (o.hairpin !== before.hairpin || o.isolated !== before.isolated || o.master !== before.master);

export const replaceLink = (context: LinkContext, o: LinkObject, before: LinkObject): void => {
  if (!isMade(o)) {
    if (o.type === 'bridge') useForeignBridge(context, o);
    return;
  }
  const { session } = context;
  const change = changes(context, o, before);
  const messages = Object.keys(change).length > 0 ? [changeLink(o.name, change)] : [];
  if (portChanged(o, before)) messages.push(setBridgePort(o.name, o));
  if (messages.length > 0) session.socket(o.ns).request(messages, `link change ${o.name}`);
  if (o.type === 'veth' && change.mtu !== undefined)
    session.socket(o.peerNs).request([changeLink(o.peerName, { mtu: o.mtu })], `link change ${o.peerName}`);
  if (o.up !== before.up) setUp(context, o);
};

/** A link that is gone is success. One whose peer's namespace is dropped is left to the kernel first. */
export const deleteLink = ({ session, reaper, dropped, fresh }: LinkContext, o: LinkObject): void => {
  if (!isMade(o)) return;
  const found = session.link(o.ns, o.name);
  if (!found || reaper.owns(o.ns, found.index)) return;
  session.forget(o.ns, o.name);
  fresh.delete(o.name);
  const doomed = { ns: o.ns, name: o.name, index: found.index };
  if (o.type === 'bridge') {
    reaper.cut(session, doomed);
    return;
  }
  session.forget(o.peerNs, o.peerName);
  const rest = dropped.has(o.peerNs) ? NAMESPACE_LINGERS : 0;
  reaper.cut(session, { ...doomed, peer: { ns: o.peerNs, name: o.peerName } }, rest);
};
