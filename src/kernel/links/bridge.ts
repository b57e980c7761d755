/**
 * Linux bridges: made, changed, deleted and looked at. Invariant: a user's own bridge is raised but never made,
 * changed or deleted.
 */
import { conflict } from '../../errors.js';
import { OWN_GROUP } from '../../plan/link-objects.js';
import type { BridgeLink } from '../../plan/objects.js';
import { changeLink, type DumpedLink } from '../rtnetlink/link.js';
import { createBridge } from '../rtnetlink/link-types.js';
import { createLocalFdb } from '../rtnetlink/neighbour.js';
import type { LinkContext, LinkRow, Sight } from './contract.js';
import { make, raise } from './make.js';

const present = (o: BridgeLink, found: DumpedLink): boolean =>
  found.type === 'bridge' &&
  (o.owned ? found.up === o.up && found.mtu === o.mtu && found.mac === o.mac : found.up || !o.up);

const createOwn = (context: LinkContext, o: BridgeLink): void => {
  const { session } = context;
  const there = (): boolean => {
    const found = session.link(o.ns, o.name);
    return found !== undefined && present({ ...o, up: found.up }, found);
  };
  const names = [{ ns: o.ns, name: o.name }];
  if (make(context, o, { message: () => createBridge(o), names, there }) === 'there') raise(session, o);
};

const useForeign = ({ session }: LinkContext, o: BridgeLink): void => {
  const found = session.link(o.ns, o.name);
  if (found?.type !== 'bridge')
    throw conflict(
      found
        ? `the bridge ${o.name} is a bridge no more`
        : `the bridge ${o.name} is not there: it is its administrator’s to make`,
    );
  if (o.up && !found.up) raise(session, o);
};

/** Ids of a swarm's networks are in base 36, all others are hexadecimal, as are Docker's. */
const OWN_NAME = /^br-[0-9a-z]{12}$/;
const MAY_BE_DOCKERS = /^br-[0-9a-f]{12}$/;

/** By name, and where Docker's could have the name too, by the mark they were made with. */
const recognise = (found: DumpedLink, { ns, named, hears }: Sight): BridgeLink | undefined => {
  if (found.type !== 'bridge' || ns !== 'host') return undefined;
  const { name, mac, mtu, up, group } = found;
  const known = named(name);
  const isOwn =
    (OWN_NAME.test(name) && group === OWN_GROUP) || (known !== undefined && !MAY_BE_DOCKERS.test(name));
  if (!isOwn) return undefined;
  const owned = known?.owned ?? true;
  const deaf = owned && !hears(found);
  return { kind: 'link', type: 'bridge', ns, name, mac, mtu, up, owned, ...(deaf ? { local: false } : {}) };
};

export const bridge: LinkRow<BridgeLink> = {
  names: OWN_NAME,
  recognise,
  create: (context, o) => (o.owned ? createOwn(context, o) : useForeign(context, o)),
  replace(context, o, before) {
    if (!o.owned) {
      useForeign(context, o);
      return;
    }
    const { session } = context;
    const change = {
      ...(o.mtu === before.mtu ? {} : { mtu: o.mtu }),
      ...(o.mac === before.mac ? {} : { mac: o.mac }),
    };
    if (Object.keys(change).length > 0)
      session.socket(o.ns).request([changeLink(o.name, change)], `link change ${o.name}`);
    if (before.local === false)
      session
        .socket(o.ns)
        .request([createLocalFdb(o.mac, session.index(o.ns, o.name))], `fdb create ${o.name}`);
    if (o.up !== before.up) raise(session, o);
  },
  deleteAt({ session, reaper }, o, index) {
    if (o.owned) reaper.cut(session, { ns: o.ns, name: o.name, index });
  },
  present: (_, o, found) => present(o, found),
};
