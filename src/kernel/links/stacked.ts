/**
 * Macvlan and ipvlan interfaces: made on a parent of the host's right in the sandbox's namespace. Invariants: they carry
 * our link group, so that what a container stacks on its own interface is never taken for ours; and what one that dies
 * holds of its parent (a MAC, addresses, a passthru parent) is free when its delete returns.
 */

import { createHash } from 'node:crypto';
import { EBUSY, EEXIST, EINVAL } from '../../errno.js';
import { invalid, KernelError } from '../../errors.js';
import { OWN_GROUP } from '../../plan/link-objects.js';
import type { IpvlanLink, MacvlanLink } from '../../plan/objects.js';
import { deleteAddress, dumpAddresses, parseAddress } from '../rtnetlink/address.js';
import { changeLink, type DumpedLink, deleteLink, getLink } from '../rtnetlink/link.js';
import { createStacked, ipvlanMode, macvlanMode, setStackedMode } from '../rtnetlink/link-types.js';
import { numberNamespace } from '../rtnetlink/nsid.js';
import type { Look, Session } from '../session.js';
import { common, type LinkContext, type LinkRow, type Sight } from './contract.js';
import { explainRefusal, parentOf } from './lower.js';
import { make, raise } from './make.js';

type Stacked = MacvlanLink | IpvlanLink;

const sameMode = (o: Stacked, found: DumpedLink): boolean => {
  if (o.type === 'macvlan') return found.mac === o.mac && macvlanMode(found.data) === o.mode;
  const now = ipvlanMode(found.data);
  return now?.mode === o.mode && now.flag === o.flag;
};

const present = (look: Look, o: Stacked, found: DumpedLink): boolean =>
  found.type === o.type &&
  found.group === OWN_GROUP &&
  found.up === o.up &&
  (o.mtu === 0 || found.mtu === o.mtu) &&
  found.peer === look.index('host', o.parent) &&
  sameMode(o, found);

/** A parent is used by one passthru interface, by macvlan or by ipvlan ones, never by a mixture. */
const busy = (o: Stacked): Error =>
  invalid(
    o.type === 'macvlan'
      ? `failed to create the macvlan port: parent interface ${o.parent} is in use in passthru mode, by ipvlan, or as a port of a bridge or bond`
      : `failed to create the ipvlan port: parent interface ${o.parent} is in use by macvlan, or as a port of a bridge or bond`,
  );

/** The kernel's answers where the parent has other users: EINVAL of passthru, EBUSY of whoever receives its frames. */
const BUSY: ReadonlySet<number> = new Set([EBUSY, EINVAL]);

const isThere = (session: Session, o: Stacked): boolean => {
  const found = session.link(o.ns, o.name);
  return found !== undefined && present(session, { ...o, up: found.up }, found);
};

/** A name that nobody else gives: `vd` and the start of a hash of where the link belongs. */
const stagingName = ({ ns, name }: Stacked): string =>
  `vd${createHash('sha256').update(`${ns} ${name}`).digest('hex').slice(0, 11)}`;

const makeNamed = (context: LinkContext, o: Stacked, parent: DumpedLink): 'made' | 'there' =>
  make(context, o, {
    message: () => createStacked(o, parent.index, context.session.descriptor(o.ns)),
    names: [{ ns: o.ns, name: o.name }],
    there: () => isThere(context.session, o),
    explain: (errno) => (BUSY.has(errno) ? busy(o) : explainRefusal(o, errno)),
  });

/**
 * Linux before 6.14 looks for the new name among the host's, too, and refuses `eth0` in the sandbox where the host has one:
 * then the link is made under another name and renamed. What a crash leaves in between is no link of any record.
 */
const makeRenamed = (context: LinkContext, o: Stacked, parent: DumpedLink): 'made' | 'there' => {
  const { session, reaper, made } = context;
  if (!reaper.evict(session, o.ns, o.name)) {
    if (isThere(session, o)) return 'there';
    throw new KernelError(EEXIST, `link create ${o.name}`, 'another link has this name');
  }
  const staged = { ...o, name: stagingName(o) };
  makeNamed(context, staged, parent);
  const index = session.link(o.ns, staged.name)?.index ?? 0;
  session.forget(o.ns, staged.name);
  session.socket(o.ns).request([changeLink(index, { name: o.name })], `link rename ${o.name}`);
  made.add(`${o.ns} ${o.name}`);
  return 'made';
};

const create = (context: LinkContext, o: Stacked): void => {
  const { session } = context;
  const parent = parentOf(session, o);
  if (o.mtu > parent.mtu)
    throw invalid(`invalid MTU number: ${o.mtu}: parent interface ${o.parent} has ${parent.mtu}`);
  const done =
    session.index('host', o.name) > 0 ? makeRenamed(context, o, parent) : makeNamed(context, o, parent);
  // Where its death inside the sandbox is to be heard of.
  session.socket('host').attempt([numberNamespace(session.descriptor(o.ns))], `netns number ${o.ns}`);
  // A passthru interface begins with its parent's MAC, whichever was asked for.
  if (o.type === 'macvlan' && o.mode === 'passthru')
    session.socket(o.ns).request([changeLink(o.name, { mac: o.mac })], `link change ${o.name}`);
  if (o.up || done === 'there') setUp(session, o);
};

/** Asking for the link makes the kernel settle its carrier now, for which IPv6 waits. */
const setUp = (session: Session, o: Stacked): void => {
  raise(session, o);
  if (o.up) session.socket(o.ns).attempt([getLink(o.name)], `link get ${o.name}`);
};

const replace = ({ session }: LinkContext, o: Stacked, before: Stacked): void => {
  const change = {
    ...(o.mtu === before.mtu || o.mtu === 0 ? {} : { mtu: o.mtu }),
    ...(o.type === 'macvlan' && before.type === 'macvlan' && o.mac !== before.mac ? { mac: o.mac } : {}),
  };
  const messages = Object.keys(change).length > 0 ? [changeLink(o.name, change)] : [];
  const mode = (l: Stacked): string => (l.type === 'macvlan' ? l.mode : `${l.mode} ${l.flag}`);
  if (mode(o) !== mode(before)) messages.push(setStackedMode(o));
  if (messages.length > 0) session.socket(o.ns).request(messages, `link change ${o.name}`);
  if (o.up !== before.up) setUp(session, o);
};

/** An ipvlan interface keeps its addresses from all others on the parent, even when it is down. */
const withoutAddresses = (session: Session, o: Stacked, index: number): readonly Buffer[] =>
  o.type === 'macvlan'
    ? []
    : session
        .socket(o.ns)
        .dump(dumpAddresses(index), `address dump ${o.name}`)
        .map(parseAddress)
        .filter((a) => a.index === index)
        .map(({ address }) => deleteAddress({ kind: 'address', ns: o.ns, link: o.name, address }, index));

/**
 * In a namespace that is dropped it is only taken down: the kernel deletes it with the namespace, soon. A passthru one is
 * deleted at once, although that waits for RCU (16–32 ms): until then its parent takes no other.
 */
const remove = ({ session, reaper, dropped }: LinkContext, o: Stacked, found: DumpedLink): void => {
  if (found.type !== o.type) return;
  const socket = session.socket(o.ns);
  const operation = `link delete ${o.name}`;
  if (o.type === 'macvlan' && o.mode === 'passthru') {
    socket.attempt([deleteLink(found.index)], operation);
    return;
  }
  const freed = withoutAddresses(session, o, found.index);
  if (dropped.has(o.ns)) socket.attempt([...freed, changeLink(found.index, { up: false })], operation);
  else {
    if (freed.length > 0) socket.attempt(freed, operation);
    reaper.cut(session, { ns: o.ns, name: o.name, index: found.index });
  }
};

const row = { create, replace, delete: remove, present };

/** What a container stacks on an interface of its own has its parent in the sandbox. */
const isOurOwn = (found: DumpedLink, { ns }: Sight, type: Stacked['type']): boolean =>
  found.type === type && ns !== 'host' && found.group === OWN_GROUP && found.peerElsewhere;

export const macvlan: LinkRow<MacvlanLink> = {
  ...row,
  recognise(found, sight) {
    const mode = isOurOwn(found, sight, 'macvlan') ? macvlanMode(found.data) : undefined;
    const parent = sight.hostName(found.peer);
    return mode && { ...common(found), type: 'macvlan', ns: sight.ns, parent, mac: found.mac, mode };
  },
};
export const ipvlan: LinkRow<IpvlanLink> = {
  ...row,
  recognise(found, sight) {
    const mode = isOurOwn(found, sight, 'ipvlan') ? ipvlanMode(found.data) : undefined;
    return (
      mode && { ...common(found), type: 'ipvlan', ns: sight.ns, parent: sight.hostName(found.peer), ...mode }
    );
  },
};
