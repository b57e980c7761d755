/** What a host routes by itself, as its manager is told it: no subnet of the cluster is chosen there. Pure. */
import { Subnets } from '../ipam/subnets.js';
import { formatPrefix, masked, overlaps, type Prefix, parsePrefix } from '../model/address.js';

/** A router with all routes of the internet has nothing to say that the widest of them do not. */
export const MOST_ROUTES = 256;

/** What each link has for itself, and groups: nobody makes a network of it. */
const NOWHERE = ['169.254.0.0/16', '224.0.0.0/4', 'fe80::/10', 'ff00::/8'].flatMap(
  (text) => parsePrefix(text) ?? [],
);

/** Canonical texts, none inside another; the widest ones, where there are too many. What is no CIDR is left out. */
export const routesToTell = (cidrs: Iterable<string>): readonly string[] => {
  const found: Prefix[] = [];
  for (const text of cidrs) {
    const prefix = parsePrefix(text);
    if (prefix && !NOWHERE.some((each) => overlaps(each, prefix))) found.push(masked(prefix));
  }
  found.sort((a, b) => a.bits - b.bits || a.family - b.family || (a.value < b.value ? -1 : 1));
  const kept = new Subnets();
  const told: string[] = [];
  for (const prefix of found) {
    if (told.length === MOST_ROUTES) break;
    if (kept.overlaps(prefix)) continue;
    const text = formatPrefix(prefix);
    kept.add(text);
    told.push(text);
  }
  return told;
};
