/**
 * A route that the host is given later (a VPN's) may lead elsewhere with addresses of a network. It is the host's affair
 * and never taken away; that either cannot be reached now is told.
 */
import type { Subnets } from '../../ipam/subnets.js';
import type { Network } from '../../model/network.js';
import type { Warning } from '../decision.js';
import type { View } from '../view.js';

/** Of networks whose subnets lie behind an interface that is theirs alone; on others (macvlan) the host's routes lead there rightly. */
const overlapping = (
  host: Subnets,
  { drivers }: Pick<View, 'drivers'>,
  { driver, pools, adopted, overlay }: Network,
): readonly string[] =>
  adopted || overlay || !drivers.get(driver)?.capabilities.hostEnd
    ? []
    : pools.flatMap(({ subnet }) => (host.overlaps(subnet) ? [subnet] : []));

/**
 * What the user is told of a new network whose subnet, named by the user, is the host's elsewhere: as Docker it is made, and
 * whoever lives in the subnet on the host's own wire is cut off from the host. Empty: nothing.
 */
export const overlapWarning = (view: Pick<View, 'drivers' | 'facts'>, network: Network): string => {
  const subnets = overlapping(view.facts.subnets(true), view, network).join(' and ');
  return subnets === ''
    ? ''
    : `${subnets} of network ${network.name} overlaps with a route or nameserver of the host: one of both cannot be reached; remove the network, or give it another subnet`;
};

/** As the host's routes are now. */
export const overlapsNow = (view: Pick<View, 'model' | 'drivers' | 'facts'>): readonly Warning[] => {
  const host = view.facts.subnets(true);
  return [...view.model.networks.values()].flatMap((network) =>
    overlapping(host, view, network).map((subnet) => ({
      about: { network: network.name, subnet },
      text: 'a route or nameserver of the host has addresses of this network: one of both cannot be reached; give the network another subnet',
    })),
  );
};
