/** WireGuard interfaces, by which encrypted networks reach other hosts. Invariant: ours bear our link group; another's of the name stays. */
import { existsSync } from 'node:fs';
import { EADDRINUSE, EEXIST, EOPNOTSUPP, failedWith } from '../../errno.js';
import { conflict, notImplemented } from '../../errors.js';
import { TUNNEL_LINK } from '../../model/tunnel.js';
import { OWN_GROUP } from '../../plan/link-objects.js';
import type { WireguardLink } from '../../plan/objects.js';
import { changeLink, type DumpedLink, deleteLink } from '../rtnetlink/link.js';
import { createWireguard } from '../rtnetlink/link-types.js';
import type { Look, Session } from '../session.js';
import { readDevice, setDevice } from '../wireguard.js';
import { common, type LinkContext, type LinkRow } from './contract.js';
import { make, raise } from './make.js';

const isOurs = ({ type, group }: DumpedLink): boolean => type === 'wireguard' && group === OWN_GROUP;

const present = (_: Look, o: WireguardLink, found: DumpedLink): boolean => {
  if (!isOurs(found) || found.up !== o.up || found.mtu !== o.mtu) return false;
  const device = readDevice(o.name);
  return device?.key === o.key && device.port === o.port;
};

/** A kernel without the type says EOPNOTSUPP (`Unknown device type`). */
const explain = ({ name }: WireguardLink, errno: number): Error | undefined => {
  if (errno === EEXIST)
    return conflict(`this host has an interface ${name} that is not ours: remove it (ip link del ${name})`);
  if (errno !== EOPNOTSUPP) return undefined;
  return notImplemented(
    'this host cannot take part in encrypted networks, because its kernel has no WireGuard: load the module (modprobe wireguard), run a kernel that has it (Linux 5.6 or newer), or place the container on another host',
  );
};

/** Its addresses are of IPv6, whatever the hosts' are. */
const checkIpv6 = (): void => {
  if (!existsSync('/proc/sys/net/ipv6'))
    throw notImplemented(
      'this host cannot take part in encrypted networks, because its kernel runs without IPv6, which hosts speak inside WireGuard: start it without ipv6.disable=1, or place the container on another host',
    );
};

/** The socket is opened when the interface is raised, and anew where it is up and gets another port. */
const asPortConflict = (port: number, work: () => void): void => {
  try {
    work();
  } catch (error) {
    if (!failedWith(error, EADDRINUSE)) throw error;
    throw conflict(
      `UDP port ${port}, by which hosts of encrypted networks reach this one, is another program's (another WireGuard interface? ss -ulpn sport = ${port}): free it, or give viaductd another one (--wireguard-port)`,
      error,
    );
  }
};

const setUp = (session: Session, o: WireguardLink): void => asPortConflict(o.port, () => raise(session, o));

const create = (context: LinkContext, o: WireguardLink): void => {
  const { session, tunnelKey } = context;
  checkIpv6();
  const done = make(context, o, {
    message: () => createWireguard(o),
    names: [{ ns: o.ns, name: o.name }],
    there: () => {
      const found = session.link(o.ns, o.name);
      return found !== undefined && present(session, { ...o, up: found.up }, found);
    },
    explain: (errno) => explain(o, errno),
  });
  try {
    if (done === 'made') setDevice(o, tunnelKey());
    if (o.up || done === 'there') setUp(session, o);
  } catch (error) {
    if (done === 'made')
      session.socket(o.ns).attempt([deleteLink(session.index(o.ns, o.name))], `link delete ${o.name}`);
    throw error;
  }
};

const replace = ({ session, tunnelKey }: LinkContext, o: WireguardLink, before: WireguardLink): void => {
  if (o.mtu !== before.mtu)
    session.socket(o.ns).request([changeLink(o.name, { mtu: o.mtu })], `link change ${o.name}`);
  if (o.port !== before.port || o.key !== before.key) asPortConflict(o.port, () => setDevice(o, tunnelKey()));
  if (o.up !== before.up) setUp(session, o);
};

export const wireguard: LinkRow<WireguardLink> = {
  names: new RegExp(`^${TUNNEL_LINK}$`),
  recognise(found, { ns }) {
    if (ns !== 'host' || !isOurs(found)) return undefined;
    const { key = '', port = 0 } = readDevice(found.name) ?? {};
    return { ...common(found), type: 'wireguard', ns: 'host', key, port };
  },
  create,
  replace,
  delete({ session, reaper }, o, found) {
    if (isOurs(found)) reaper.cut(session, { ns: o.ns, name: o.name, index: found.index });
  },
  present,
};
