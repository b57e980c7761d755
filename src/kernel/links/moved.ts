/**
 * Links that others made on the host (plugins): moved into a sandbox, and back under their own name. Invariants: they are
 * never made nor deleted; one that carries another alias than ours for it is somebody else's and stays where it is.
 */
import { EEXIST, ENODEV } from '../../errno.js';
import { KernelError } from '../../errors.js';
import type { MovedLink } from '../../plan/objects.js';
import { announce } from '../announce.js';
import { changeLink, type DumpedLink, getLink, moveLink, parseLink } from '../rtnetlink/link.js';
import type { Session } from '../session.js';
import type { LinkContext, LinkRow, Sight } from './contract.js';
import { raise } from './make.js';

/** IFLA_IFALIAS of a link while it is in a sandbox. */
const aliasOf = (source: string): string => `viaduct:${source}`;

const isOurs = (o: MovedLink, found: DumpedLink | undefined): found is DumpedLink =>
  found?.alias === aliasOf(o.source);

const present = (_: Session, o: MovedLink, found: DumpedLink): boolean =>
  isOurs(o, found) && found.up === o.up && (o.mac === '' || found.mac === o.mac);

/**
 * A link that is up reaches nobody until the bridge that the plugin put its other end on has heard of the carrier (see
 * `veth.ts`). Asking for the links makes the kernel tell it now; then the neighbours hear of the addresses' new MAC.
 */
const setUp = ({ session, given }: LinkContext, o: MovedLink): void => {
  raise(session, o);
  if (!o.up) return;
  const found = session.link(o.ns, o.name);
  const operation = `link get ${o.name}`;
  if (found?.type === 'veth' && found.peerElsewhere) {
    const replies: Buffer[] = [];
    session.socket('host').attempt([getLink(found.peer)], operation, replies);
    const master = replies[0] === undefined ? 0 : parseLink(replies[0]).master;
    if (master > 0) session.socket('host').attempt([getLink(master)], operation);
  }
  if (found) announce(session, { ns: o.ns, bridge: o.name, mac: found.mac, addresses: given(o.ns, o.name) });
};

/** Where its name on the host was taken meanwhile it stays, and ends with the sandbox. */
const remove = ({ session }: LinkContext, o: MovedLink, found: DumpedLink): void => {
  if (!isOurs(o, found)) return;
  const back = { fd: session.descriptor('host'), name: o.source, alias: '' };
  const down = changeLink(found.index, { up: false });
  session.socket(o.ns).attempt([down, moveLink(found.index, back)], `link move ${o.name} back`);
  session.forget('host', o.source);
};

const move = ({ session }: LinkContext, o: MovedLink, operation: string): void => {
  const found = session.link('host', o.source);
  if (!found) throw new KernelError(ENODEV, operation, `no interface ${o.source} on the host`);
  const to = { fd: session.descriptor(o.ns), name: o.name, alias: aliasOf(o.source) };
  session.socket('host').request([moveLink(found.index, to)], operation);
  session.forget('host', o.source);
  session.forget(o.ns, o.name);
};

/** One that a former, interrupted plan moved is taken over. */
const create = (context: LinkContext, o: MovedLink): void => {
  const { session } = context;
  const there = session.link(o.ns, o.name);
  const operation = `link move ${o.source} to ${o.name}`;
  if (there && !isOurs(o, there)) throw new KernelError(EEXIST, operation, 'another link has this name');
  if (there) raise(session, { ...o, up: false });
  else move(context, o, operation);
  try {
    if (o.mac !== '') session.socket(o.ns).request([changeLink(o.name, { mac: o.mac })], operation);
    if (o.up) setUp(context, o);
  } catch (error) {
    const found = session.link(o.ns, o.name);
    if (found) remove(context, o, found);
    throw error;
  }
};

const replace = (context: LinkContext, o: MovedLink, before: MovedLink): void => {
  if (o.mac !== before.mac && o.mac !== '')
    context.session.socket(o.ns).request([changeLink(o.name, { mac: o.mac })], `link change ${o.name}`);
  if (o.up !== before.up) setUp(context, o);
};

/** As it is wanted: a container could give a link of its own our alias. */
const recognise = (found: DumpedLink, { claimed }: Sight): MovedLink | undefined => {
  const wanted = claimed(found.name);
  if (wanted?.type !== 'moved' || !isOurs(wanted, found)) return undefined;
  return { ...wanted, up: found.up, mac: wanted.mac === '' ? '' : found.mac };
};

export const moved: LinkRow<MovedLink> = { recognise, create, replace, delete: remove, present };
