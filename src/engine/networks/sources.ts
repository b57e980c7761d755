/**
 * A network may leave the host with an address that its user chose (`com.docker.network.host_ipv4`). Answers to one that
 * the host does not have never come back: that is told at the network's making, and when the address goes later. The
 * address may also come later (a floating one of keepalived's), so it is no reason to refuse the network.
 */
import type { Network } from '../../model/network.js';
import type { Writing } from '../parts.js';
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

/** To be called at the start and whenever the host's routes have changed: those to an address's subnet go and come with it. Each is told once. */
export const sourceTeller = (parts: Asking & Pick<View, 'model'> & Pick<Writing, 'log'>): (() => void) => {
  let told: ReadonlySet<string> = new Set();
  return () => {
    const now = new Map<string, string>();
    for (const network of parts.model.networks.values()) {
      const warning = sourceWarning(parts, network);
      if (warning !== '') now.set(warning, network.name);
    }
    for (const [warning, network] of now) if (!told.has(warning)) parts.log.warn({ network }, warning);
    told = new Set(now.keys());
  };
};
