/**
 * A route that the host is given later (a VPN's) may lead elsewhere with addresses of a network. It is the host's affair
 * and never taken away; that either cannot be reached now is told once, and again when it has ended and come back.
 */
import { parsePrefix } from '../../model/address.js';
import type { Network } from '../../model/network.js';
import type { Writing } from '../parts.js';
import type { View } from '../view.js';

/** Networks whose subnets lie behind an interface that is theirs alone; on others (macvlan) the host's routes lead there rightly. */
const behindHost = ({ model, drivers }: Pick<View, 'model' | 'drivers'>) =>
  [...model.networks.values()].filter((n) => !n.adopted && drivers.get(n.driver)?.capabilities.hostEnd);

interface Overlap {
  readonly network: string;
  readonly subnet: string;
}

const overlapsNow = (parts: Pick<View, 'model' | 'drivers' | 'facts'>): readonly Overlap[] => {
  const host = parts.facts.subnets(true);
  return behindHost(parts).flatMap(({ name, pools }) =>
    pools.flatMap(({ subnet }) => {
      const prefix = parsePrefix(subnet);
      return prefix && host.overlaps(prefix) ? [{ network: name, subnet }] : [];
    }),
  );
};

/**
 * What the user is told of a new network whose subnet, named by the user, is the host's elsewhere: as Docker it is made, and
 * whoever lives in the subnet on the host's own wire is cut off from the host. Empty: nothing.
 */
export const overlapWarning = (
  { drivers, facts }: Pick<View, 'drivers' | 'facts'>,
  { name, driver, pools, adopted }: Network,
): string => {
  if (adopted || !drivers.get(driver)?.capabilities.hostEnd) return '';
  const host = facts.subnets(true);
  const overlapping = pools.filter(({ subnet }) => {
    const prefix = parsePrefix(subnet);
    return prefix !== undefined && host.overlaps(prefix);
  });
  if (overlapping.length === 0) return '';
  const subnets = overlapping.map(({ subnet }) => subnet).join(' and ');
  return `${subnets} of network ${name} overlaps with a route or nameserver of the host: one of both cannot be reached; remove the network, or give it another subnet`;
};

/** To be called whenever the host's routes have changed. */
export const overlapTeller = (
  parts: Pick<View, 'model' | 'drivers' | 'facts'> & Pick<Writing, 'log'>,
): (() => void) => {
  let told: ReadonlySet<string> = new Set();
  return () => {
    const found = overlapsNow(parts);
    for (const overlap of found)
      if (!told.has(overlap.subnet))
        parts.log.warn(
          overlap,
          'a route or nameserver of the host has addresses of this network: one of both cannot be reached; give the network another subnet',
        );
    told = new Set(found.map(({ subnet }) => subnet));
  };
};
