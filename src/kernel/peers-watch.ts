/**
 * Watches the peers of our WireGuard interfaces. The kernel tells nobody when one is taken away, so they are read again and again:
 * one request an interface. Where a peer is may change by itself, as it follows the peer's packets; that is not looked at.
 */
import { attempt } from '../errors.js';
import type { WireguardPeerObject } from '../plan/objects.js';
import type { Drift } from './contract.js';
import { readDevice } from './wireguard.js';

/** Less than the second within which what others change is repaired. */
const LOOK_MS = 800;

/** By interface. */
export type PlannedPeers = ReadonlyMap<string, ReadonlyMap<string, WireguardPeerObject>>;

/** Interfaces on which a planned peer is missing, or has other addresses inside. Of one that is gone itself others tell. */
export const withoutPeers = (planned: PlannedPeers, read = readDevice): readonly string[] =>
  [...planned].flatMap(([link, peers]) => {
    // Refused for a moment (no memory): the next look will tell.
    const found = attempt(() => read(link))?.peers;
    if (!found) return [];
    const inside = new Map(found.map((peer) => [peer.key, peer.inside]));
    return [...peers.values()].every((peer) => inside.get(peer.key) === peer.inside) ? [] : [link];
  });

export const watchPeers = (
  planned: PlannedPeers,
  onDrift: (drift: readonly Drift[]) => void,
): { close(): void } => {
  const timer = setInterval(() => {
    const lonely = withoutPeers(planned);
    if (lonely.length > 0) onDrift(lonely.map((name) => ({ kind: 'link', ns: 'host', name })));
  }, LOOK_MS).unref();
  return { close: () => clearInterval(timer) };
};
