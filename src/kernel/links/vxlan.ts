/** VXLAN devices, ports of our bridges. Invariant: ours bear our link group; one without it is somebody else's and stays. */
import { EADDRNOTAVAIL, EEXIST } from '../../errno.js';
import { conflict } from '../../errors.js';
import { OWN_GROUP } from '../../plan/link-objects.js';
import type { VxlanLink } from '../../plan/objects.js';
import { GROUP } from '../reaper.js';
import { changeLink, type DumpedLink, deleteLink, dumpLinks, parseLink } from '../rtnetlink/link.js';
import { createVxlan, setQuietPort, vxlanData } from '../rtnetlink/link-types.js';
import type { Look, Session } from '../session.js';
import { common, type LinkContext, type LinkRow } from './contract.js';
import { explainRefusal } from './lower.js';
import { make, raise } from './make.js';

const present = (look: Look, o: VxlanLink, found: DumpedLink): boolean => {
  const data = found.type === 'vxlan' && found.group === OWN_GROUP ? vxlanData(found.data) : undefined;
  return (
    data?.vni === o.vni &&
    data.local === o.local &&
    data.port === o.port &&
    found.up === o.up &&
    found.mtu === o.mtu &&
    found.quiet &&
    found.master === look.index(o.ns, o.master)
  );
};

/** EEXIST also says that another device of the host has the identifier on this port. */
const explain = (o: VxlanLink, errno: number): Error | undefined => {
  if (errno === EEXIST)
    return conflict(
      `another VXLAN device of this host has VNI ${o.vni} on UDP port ${o.port} already: remove it (ip -d link show type vxlan), or give the network another by com.docker.network.driver.overlay.vxlanid_list`,
    );
  if (errno === EADDRNOTAVAIL)
    return conflict(`this host has not the address ${o.local} by which others reach it`);
  return explainRefusal(o, errno);
};

/**
 * A dying device keeps its identifier until it is gone, which waits for RCU (16–32 ms): where the last container of a network
 * has gone and another comes at once, that is waited for here.
 */
const freeIdentifier = (session: Session, { ns, vni, port }: VxlanLink): void => {
  const socket = session.socket(ns);
  const dying = socket
    .dump(dumpLinks(), 'link dump')
    .map(parseLink)
    .filter((found) => {
      const data = found.type === 'vxlan' && found.group === GROUP ? vxlanData(found.data) : undefined;
      return data?.vni === vni && data.port === port;
    });
  for (const { index, name } of dying) socket.attempt([deleteLink(index)], `link delete ${name}`);
};

const masterIndex = (session: Session, o: VxlanLink): number => {
  const index = session.index(o.ns, o.master);
  if (index === 0) throw conflict(`the bridge ${o.master} is not there`);
  return index;
};

const create = (context: LinkContext, o: VxlanLink): void => {
  const { session } = context;
  const there = (): boolean => {
    const found = session.link(o.ns, o.name);
    return found !== undefined && present(session, { ...o, up: found.up }, found);
  };
  const message = (): Buffer => createVxlan(o, masterIndex(session, o));
  const names = [{ ns: o.ns, name: o.name }];
  const done = make(context, o, {
    message,
    names,
    there,
    free: () => freeIdentifier(session, o),
    explain: (errno) => explain(o, errno),
  });
  if (done === 'made') session.socket(o.ns).request([setQuietPort(o.name)], `link create ${o.name}`);
  if (o.up || done === 'there') raise(session, o);
};

const replace = ({ session }: LinkContext, o: VxlanLink, before: VxlanLink): void => {
  const messages = o.mtu === before.mtu ? [] : [changeLink(o.name, { mtu: o.mtu })];
  if (before.quiet === false) messages.push(setQuietPort(o.name));
  if (messages.length > 0) session.socket(o.ns).request(messages, `link change ${o.name}`);
  if (o.up !== before.up) raise(session, o);
};

export const vxlan: LinkRow<VxlanLink> = {
  names: /^vx-[0-9a-z]{12}$/,
  recognise(found, { ns, hostName }) {
    const ours = ns === 'host' && found.type === 'vxlan' && found.group === OWN_GROUP;
    if (!ours) return undefined;
    const data = vxlanData(found.data) ?? { vni: 0, local: '', port: 0 };
    const loud = found.quiet ? {} : { quiet: false as const };
    return { ...common(found), type: 'vxlan', ns: 'host', ...data, master: hostName(found.master), ...loud };
  },
  create,
  replace,
  delete({ session, reaper }, o, found) {
    if (found.type === 'vxlan' && found.group === OWN_GROUP)
      reaper.cut(session, { ns: o.ns, name: o.name, index: found.index });
  },
  present,
};
