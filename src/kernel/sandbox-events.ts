/**
 * Hears of links that die inside sandboxes: a macvlan has no end on the host whose death would tell. One socket hears all
 * namespaces that the host's has numbers for (NETLINK_LISTEN_ALL_NSID, Linux 4.2), which are those with links to it and
 * those numbered by `rtnetlink/nsid.ts`. It does not learn in which one it was, so it only says that something died.
 */
import { OWN_GROUP } from '../plan/link-objects.js';
import { type EventSocket, listen } from './listen.js';
import { HEADER, messageType, NETLINK, splitMessages } from './netlink.js';
import { parseLink } from './rtnetlink/link.js';
import { RTM } from './rtnetlink/numbers.js';

const RTNLGRP_LINK = 1;

/** Calls back when one died that may be ours. */
export const watchSandboxes = (onDeath: () => void): EventSocket =>
  listen({
    protocol: NETLINK.ROUTE,
    groups: [RTNLGRP_LINK],
    everywhere: true,
    hear: (datagram) => {
      if (splitMessages(datagram).some(isDeath)) onDeath();
    },
    lost: onDeath,
  });

const isDeath = (m: Buffer): boolean =>
  messageType(m) === RTM.DELLINK && m.readUInt8(HEADER) === 0 && parseLink(m).group === OWN_GROUP;
