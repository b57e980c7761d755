/** Addresses a user asks for one endpoint, checked by themselves (before any network is looked at) and made canonical. Pure. */
import { defined } from '../defined.js';
import { invalid } from '../errors.js';
import type { Family } from '../model/network.js';
import {
  type Address,
  addressOf,
  contains,
  formatAddress,
  type Prefix,
  parseAddress,
  prefixOf,
  shown,
} from './address.js';
import { joined } from './config.js';

export interface RequestedAddresses {
  readonly ipv4?: string;
  readonly ipv6?: string;
  readonly linkLocal: readonly string[];
}

const usable = (text: string, family: Family | undefined): Address | undefined => {
  const address = parseAddress(text);
  return address && address.value !== 0n && (family === undefined || address.family === family)
    ? address
    : undefined;
};

const LINK_LOCAL: Readonly<Record<Family, Prefix>> = {
  4: prefixOf('169.254.0.0/16'),
  6: prefixOf('fe80::/10'),
};

/** Canonical texts of `--ip`, `--ip6` and `--link-local-ip`. Throws invalid with moby's words and every mistake. */
export const requestedAddresses = (asked: RequestedAddresses): RequestedAddresses => {
  const problems: string[] = [];
  const read = (text: string, family: Family | undefined, what: string): string => {
    const address = usable(text, family);
    if (address) return formatAddress(address);
    problems.push(`invalid ${what} address: ${shown(text)}`);
    return '';
  };
  const ipv4 = asked.ipv4 ? read(asked.ipv4, 4, 'IPv4') : undefined;
  const ipv6 = asked.ipv6 ? read(asked.ipv6, 6, 'IPv6') : undefined;
  const linkLocal = asked.linkLocal.map((text) => read(text, undefined, 'link-local IP'));
  for (const text of linkLocal.filter((each) => each !== '')) {
    const address = addressOf(text);
    if (!contains(LINK_LOCAL[address.family], address))
      problems.push(`invalid link local IP address: ${text}`);
  }
  if (problems.length > 0) throw invalid(`invalid endpoint settings:\n${joined(problems)}`);
  return { ...defined({ ipv4, ipv6 }), linkLocal };
};
