/**
 * A machine that learns its IPv6 routes from a router would lose them to us: Linux takes router advertisements on an
 * interface with `accept_ra` 1 only while it does not forward, and forgets the default routes that it learnt when
 * forwarding begins. With 2 it goes on (since Linux 2.6.37). Interfaces that have 0 or 2 are as somebody wants them, and
 * those that forward already take none.
 */

import { readdirSync } from 'node:fs';
import { attempt } from '../errors.js';
import { readSysctl, writeSysctl } from './sysctl.js';

export const IPV6_FORWARDING = 'net/ipv6/conf/all/forwarding';

const CONF = 'net/ipv6/conf';
const NO_ROUTERS: ReadonlySet<string> = new Set(['all', 'default', 'lo']);

/** False where the interface goes while we look. */
const has = (name: string, setting: string, value: string): boolean =>
  readSysctl('host', `${CONF}/${name}/${setting}`) === value;

const listens = (name: string): boolean =>
  has(name, 'accept_ra', '1') && has(name, 'forwarding', '0') && has(name, 'disable_ipv6', '0');

/** To be called before forwarding is switched on. */
export const keepRouterAdvertisements = (): void => {
  if (readSysctl('host', IPV6_FORWARDING) !== '0') return;
  for (const name of readdirSync(`/proc/sys/${CONF}`)) {
    if (NO_ROUTERS.has(name) || !listens(name)) continue;
    attempt(() => writeSysctl('host', `${CONF}/${name}/accept_ra`, '2')); // else the interface went
  }
};
