/** Looks at one interface of the host's, whosever it is, and at addresses: for what a network is to stand on and leave by. */

import { OWN_GROUP } from '../plan/link-objects.js';
import { hostSocket, NETLINK } from './netlink.js';
import { GROUP } from './reaper.js';
import { dumpAddresses, parseAddress } from './rtnetlink/address.js';
import { getRoute, isLocalRoute } from './rtnetlink/route.js';
import { withSession } from './session.js';
import { hasSysctl } from './sysctl.js';

export interface HostLink {
  readonly bridge: boolean;
  /** made by a daemon of ours, by its mark */
  readonly ours: boolean;
  /** bytes */
  readonly mtu: number;
  /** with prefix length, link-local ones too */
  readonly addresses: readonly string[];
  /** answers to loopback addresses are routed on it */
  readonly routeLocalnet: boolean;
}

/** undefined: not there, or about to go. */
export const hostLink = (name: string): HostLink | undefined =>
  withSession((session) => {
    const found = session.link('host', name);
    if (!found || found.group === GROUP) return undefined;
    const addresses = session
      .socket('host')
      .dump(dumpAddresses(found.index), `address dump ${name}`)
      .map(parseAddress)
      .filter(({ index }) => index === found.index);
    return {
      bridge: found.type === 'bridge',
      ours: found.group === OWN_GROUP,
      mtu: found.mtu,
      addresses: addresses.map(({ address }) => address),
      routeLocalnet: hasSysctl('host', `net/ipv4/conf/${name}/route_localnet`, '1'),
    };
  });

/** Does a packet to the address, bare, end at the host? Whatever gave it the address: an interface, or a local route. */
export const hostHolds = (address: string): boolean => {
  const replies: Buffer[] = [];
  hostSocket(NETLINK.ROUTE).attempt([getRoute(address)], `route get ${address}`, replies);
  return replies.some(isLocalRoute);
};
