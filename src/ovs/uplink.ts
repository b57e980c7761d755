/** Whether an interface of the host may become a switch's uplink: only one that nobody uses. It is raised, and left up. */
import { conflict, invalid } from '../errors.js';
import { NETLINK, withSocket } from '../kernel/netlink.js';
import { dumpAddresses, isAutomatic, parseAddress } from '../kernel/rtnetlink/address.js';
import { changeLink } from '../kernel/rtnetlink/link.js';
import { findLink } from '../kernel/session.js';
import { readSysctl, writeSysctl } from '../kernel/sysctl.js';

/** Throws invalid where there is no such interface, conflict where it carries addresses or belongs to a bridge or bond. */
export const takeUplink = (name: string): void =>
  withSocket(NETLINK.ROUTE, 'host', (socket) => {
    const link = findLink(socket, name);
    if (!link) throw invalid(`there is no interface ${name} on this host to be the uplink`);
    if (link.master !== 0) throw conflict(`the interface ${name} belongs to a bridge or bond already`);
    const used = socket
      .dump(dumpAddresses(link.index), `address dump ${name}`)
      .map(parseAddress)
      .find((a) => a.index === link.index && !isAutomatic(a, link.mac));
    if (used)
      throw conflict(
        `the interface ${name} has the address ${used.address}: as an uplink the host could no longer use it`,
      );
    setArpIgnore(name, '8');
    socket.request([changeLink(name, { up: true })], `link up ${name}`);
  });

/** The userspace datapath only taps the interface: the host itself must not answer for its addresses there. */
const setArpIgnore = (name: string, value: string): void =>
  writeSysctl('host', `net/ipv4/conf/${name}/arp_ignore`, value);

/** The interface is the host's again, as one that just came up. Gone is success. */
export const leaveUplink = (name: string): void => {
  const usual = readSysctl('host', 'net/ipv4/conf/default/arp_ignore');
  const now = readSysctl('host', `net/ipv4/conf/${name}/arp_ignore`);
  if (now !== undefined && usual !== undefined) setArpIgnore(name, usual);
};
