/**
 * Interfaces that macvlan and ipvlan lie on: 802.1q sub-interfaces and dummies. Invariant: one that somebody else made
 * (it has not our link group) is used as it is, and never changed nor deleted.
 */
import { ENETDOWN } from '../../errno.js';
import { invalid } from '../../errors.js';
import { OWN_GROUP } from '../../plan/link-objects.js';
import type { DummyLink, VlanLink } from '../../plan/objects.js';
import { changeLink, type DumpedLink, deleteLink } from '../rtnetlink/link.js';
import { createDummy, createVlan, vlanId } from '../rtnetlink/link-types.js';
import type { Look, Session } from '../session.js';
import { common, type LinkContext, type LinkRow, type Sight } from './contract.js';
import { explainRefusal } from './lower.js';
import { make, raise } from './make.js';

type Parent = VlanLink | DummyLink;

const isOurs = ({ group }: DumpedLink): boolean => group === OWN_GROUP;

const sameBelow = (look: Look, o: Parent, found: DumpedLink): boolean =>
  o.type === 'dummy' || (found.peer === look.index('host', o.parent) && vlanId(found.data) === o.vlan);

const present = (look: Look, o: Parent, found: DumpedLink): boolean =>
  !isOurs(found) ||
  (found.type === o.type &&
    found.up === o.up &&
    (o.mtu === 0 || found.mtu === o.mtu) &&
    sameBelow(look, o, found));

/** A sub-interface goes down, and comes up, with its parent: that is no drift of its own. */
const nearPresent = (look: Look, o: Parent, found: DumpedLink): boolean => {
  const follows = o.type === 'vlan' && !found.up && look.link('host', o.parent)?.up === false;
  return present(look, follows ? { ...o, up: false } : o, found);
};

const belowOf = (session: Session, { parent, name }: VlanLink): DumpedLink => {
  const found = session.link('host', parent);
  if (!found) throw invalid(`-o parent interface was not found on the host: ${parent} (for ${name})`);
  return found;
};

/** The kernel raises no sub-interface of an interface that is down. */
const setUp = (session: Session, o: Parent): void => {
  const operation = `link ${o.up ? 'up' : 'down'} ${o.name}`;
  if (!o.up || o.type === 'dummy') {
    raise(session, o);
    return;
  }
  const [outcome] = session.socket('host').attempt([changeLink(o.name, { up: true })], operation);
  if (outcome?.errno === ENETDOWN)
    throw invalid(
      `failed to enable the parent link ${o.name}: ${o.parent} is down, raise it first (ip link set ${o.parent} up)`,
    );
  if (outcome?.errno) raise(session, o);
};

const create = (context: LinkContext, o: Parent): void => {
  const { session } = context;
  const found = session.link(o.ns, o.name);
  const dying = found !== undefined && context.reaper.evict(session, o.ns, o.name);
  if (found && !dying && !isOurs(found)) return;
  const below = o.type === 'vlan' ? belowOf(session, o).index : 0;
  const done = make(context, o, {
    message: () => (o.type === 'vlan' ? createVlan(o, below) : createDummy(o)),
    names: [{ ns: o.ns, name: o.name }],
    there: () => {
      const now = session.link(o.ns, o.name);
      return now !== undefined && present(session, { ...o, up: now.up }, now);
    },
    explain: (errno) => explainRefusal(o, errno),
  });
  if (o.up || done === 'there') setUp(session, o);
};

const replace = ({ session }: LinkContext, o: Parent, before: Parent): void => {
  const found = session.link(o.ns, o.name);
  if (found && !isOurs(found)) return;
  if (o.mtu !== before.mtu && o.mtu > 0)
    session.socket(o.ns).request([changeLink(o.name, { mtu: o.mtu })], `link change ${o.name}`);
  if (o.up !== before.up) setUp(session, o);
};

/**
 * A sub-interface is deleted at once, although that waits for RCU (16–32 ms): until then its VLAN is taken on the parent.
 * It goes once, with the last network on it.
 */
const remove = ({ session, reaper }: LinkContext, o: Parent, found: DumpedLink): void => {
  if (!isOurs(found)) return;
  if (o.type === 'dummy') reaper.cut(session, { ns: o.ns, name: o.name, index: found.index });
  else session.socket(o.ns).attempt([deleteLink(found.index)], `link delete ${o.name}`);
};

const row = { create, replace, delete: remove, present, nearPresent };

const isOurOwn = (found: DumpedLink, { ns }: Sight, type: Parent['type']): boolean =>
  found.type === type && ns === 'host' && isOurs(found);

export const vlan: LinkRow<VlanLink> = {
  ...row,
  recognise(found, sight) {
    if (!isOurOwn(found, sight, 'vlan')) return undefined;
    const parent = sight.hostName(found.peer);
    return { ...common(found), type: 'vlan', ns: 'host', parent, vlan: vlanId(found.data) };
  },
};
export const dummy: LinkRow<DummyLink> = {
  ...row,
  recognise: (found, sight) =>
    isOurOwn(found, sight, 'dummy') ? { ...common(found), type: 'dummy', ns: 'host' } : undefined,
};
