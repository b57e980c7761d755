/** The sysctls of an interface that the kernel tells along with it (`IFLA_AF_SPEC`), those of them that drivers set. Pure. */
import { AF } from '../ffi.js';
import { readAttribute } from '../netlink.js';
import type { DumpedLink } from './link.js';

/** Inside IFLA_AF_SPEC / AF_INET and AF_INET6: arrays of 32-bit values (`include/uapi/linux/if_link.h`). */
const IFLA_INET_CONF = 1;
const IFLA_INET6_CONF = 2;
/** Places in the arrays: `IPV4_DEVCONF_…` less one of `include/uapi/linux/ip.h`, `DEVCONF_…` of `ipv6.h`. */
const IPV4 = { arp_notify: 21, route_localnet: 25 } as const;
const IPV6 = { accept_ra: 3, disable_ipv6: 26, accept_dad: 27, ndisc_notify: 29 } as const;

export interface Setting {
  /** below /proc/sys */
  readonly path: string;
  readonly value: string;
}

const valuesIn = (
  values: Buffer | undefined,
  places: Readonly<Record<string, number>>,
  directory: string,
): readonly Setting[] =>
  Object.entries(places).flatMap(([name, place]) =>
    values && values.length >= (place + 1) * 4
      ? [{ path: `${directory}/${name}`, value: String(values.readInt32LE(place * 4)) }]
      : [],
  );

const arrayIn = (settings: Buffer, family: number, type: number): Buffer | undefined => {
  const own = readAttribute(settings, 0, family);
  return own && readAttribute(own, 0, type);
};

/** None of a family that the kernel or the interface has not. */
export const sysctlsIn = ({ name, settings }: Pick<DumpedLink, 'name' | 'settings'>): readonly Setting[] => [
  ...valuesIn(arrayIn(settings, AF.INET, IFLA_INET_CONF), IPV4, `net/ipv4/conf/${name}`),
  ...valuesIn(arrayIn(settings, AF.INET6, IFLA_INET6_CONF), IPV6, `net/ipv6/conf/${name}`),
];
