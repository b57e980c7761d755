/** Makes, changes, deletes and recognises links: a row for each type. A type without a row does not compile. */
import { ifThere } from '../../errno.js';
import { isMade } from '../../plan/depend.js';
import type { LinkObject, LinkOf, LinkType } from '../../plan/objects.js';
import { GROUP } from '../reaper.js';
import type { DumpedLink } from '../rtnetlink/link.js';
import type { Look, Session } from '../session.js';
import { bridge } from './bridge.js';
import type { LinkContext, LinkRow, Sight } from './contract.js';
import { moved } from './moved.js';
import { ovs } from './ovs.js';
import { dummy, vlan } from './parents.js';
import { ipvlan, macvlan } from './stacked.js';
import { veth } from './veth.js';
import { vxlan } from './vxlan.js';
import { wireguard } from './wireguard.js';

export type { LinkContext } from './contract.js';

/** What lies on others comes behind them, as they are told of when everything is looked at. */
const ROWS: { readonly [T in LinkType]: LinkRow<LinkOf<T>> } = {
  bridge,
  dummy,
  vlan,
  wireguard,
  vxlan,
  veth,
  macvlan,
  ipvlan,
  moved,
  ovs,
};

/** The table pairs each type with the row of exactly that type. */
const rowOf = (o: LinkObject): LinkRow<LinkObject> => ROWS[o.type] as LinkRow<LinkObject>;

/** True for the names that links of ours have on the host. */
export const hasOwnName = (name: string): boolean =>
  Object.values(ROWS).some(({ names }) => names?.test(name));

/** Which of the links are ours, as the objects they were made from; type by type. */
export const recogniseLinks = (
  seen: readonly { readonly link: DumpedLink; readonly sight: Sight }[],
): readonly LinkObject[] =>
  Object.values(ROWS).flatMap((row) => seen.flatMap(({ link, sight }) => row.recognise(link, sight) ?? []));

export const createLink = (context: LinkContext, o: LinkObject): void => rowOf(o).create(context, o);

export const replaceLink = (context: LinkContext, o: LinkObject, before: LinkObject): void =>
  rowOf(o).replace(context, o, before);

/** undefined where the namespace itself is gone, too. */
const livingLink = (look: Look, o: LinkObject): DumpedLink | undefined => {
  const found = ifThere(() => look.link(o.ns, o.name));
  return found?.group === GROUP ? undefined : found;
};

/** A link that is gone, or dying already, is success. */
export const deleteLink = (context: LinkContext, o: LinkObject): void => {
  if (!isMade(o)) return;
  const { session, reaper } = context;
  const row = rowOf(o);
  const found = 'delete' in row ? livingLink(session, o) : undefined;
  const index = 'delete' in row ? (found?.index ?? 0) : session.index(o.ns, o.name);
  if (index === 0) row.gone?.(context, o);
  if (index === 0 || reaper.owns(o.ns, index)) return;
  session.forget(o.ns, o.name);
  if ('deleteAt' in row) row.deleteAt(context, o, index);
  else if (found) row.delete(context, o, found);
};

/** Is the link there, in exactly this state? Not where the namespace of its other end is gone. */
export const linkPresent = (session: Session, o: LinkObject): boolean => {
  const found = livingLink(session, o);
  return found !== undefined && (ifThere(() => rowOf(o).present(session, o, found)) ?? false);
};

/** Is a link of this name and type there, in whichever state? */
export const linkThere = (session: Session, o: LinkObject): boolean =>
  livingLink(session, o)?.type === o.type;

/** `linkPresent` as far as the host sees it. */
export const nearPresent = (look: Look, o: LinkObject): boolean => {
  const found = livingLink(look, o);
  const row = rowOf(o);
  return found !== undefined && (row.nearPresent ?? row.present)(look, o, found);
};
