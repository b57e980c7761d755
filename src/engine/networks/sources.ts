/**
 * A network may leave the host with an address that its user chose (`com.docker.network.host_ipv4`). Answers to one that
 * the host does not have never come back: that is told at the network's making, and when the address goes later. The
 * address may also come later (a floating one of keepalived's), so it is no reason to refuse the network.
 */
import type { Network } from '../../model/network.js';
import type { Warning } from '../decision.js';
import type { View } from '../view.js';

type Asking = Pick<View, 'drivers' | 'host' | 'facts'>;

const missingOf = ({ drivers, host, facts }: Asking, network: Network): readonly string[] =>
  network.configOnly
    ? []
    : (drivers.get(network.driver)?.sources?.({ network, host }) ?? []).filter((a) => !facts.holds(a));

/** Empty: the host has them all. */
export const sourceWarning = (parts: Asking, network: Network): string => {
  const missing = missingOf(parts, network);
  return missing.length === 0
    ? ''
    : `network ${network.name} leaves with ${missing.join(' and ')}, which this host does not have: no answer comes back until it has; add the address, or remove the network`;
};

/** As the host's addresses are now. */
export const sourcesNow = (view: Asking & Pick<View, 'model'>): readonly Warning[] =>
  [...view.model.networks.values()].flatMap((network) => {
    const text = sourceWarning(view, network);
    return text === '' ? [] : [{ about: { network: network.name }, text }];
  });
