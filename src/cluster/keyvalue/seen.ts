/**
 * The store's networks, endpoints and hosts as records of this host's: from keys that changed to records that do. Pure but for
 * what it remembers of the store.
 */
import { type ClusterChange, type ClusterSide, NO_CHANGE } from '../../engine/cluster.js';
import type { NetworkId } from '../../model/ids.js';
import type { Network } from '../../model/network.js';
import { type Peer, peerId, type Vtep } from '../../model/peer.js';
import { givable } from '../../model/pool.js';
import type { Entry } from '../etcd/contract.js';
import { readKey } from './keys.js';
import {
  type Place,
  readEndpoint,
  readNetwork,
  readNode,
  type StoredEndpoint,
  type StoredNode,
} from './values.js';

/** A key and what it is now; undefined: gone. */
export interface SeenKey {
  readonly key: string;
  readonly after: Entry | undefined;
}

interface Touched {
  readonly networks: Set<string>;
  readonly peers: Set<string>;
  readonly nodes: Set<string>;
}

const nothing = (): Touched => ({ networks: new Set(), peers: new Set(), nodes: new Set() });

export class Seen {
  readonly #networks = new Map<string, Network>();
  readonly #nodes = new Map<string, StoredNode>();
  /** by `peerId`, then by endpoint */
  readonly #endpoints = new Map<string, Map<string, StoredEndpoint>>();

  constructor(private readonly self: Vtep) {}

  has(networkId: string): boolean {
    return this.#networks.has(networkId);
  }

  /** The smallest of the hosts' wires, as far as they are known and there; bytes, 0: none is. */
  smallestWire(own: number): number {
    const known = [own, ...[...this.#nodes.values()].map(({ mtu }) => mtu)].filter((mtu) => mtu > 0);
    return known.length === 0 ? 0 : Math.min(...known);
  }

  /** What becomes of this host's records. */
  take(changes: readonly SeenKey[]): ClusterChange {
    const touched = nothing();
    for (const change of changes) this.#note(change, touched);
    // An endpoint is judged by its network's subnets, and a host is known by its endpoints.
    for (const id of this.#endpoints.keys())
      if (touched.networks.has(networkOf(id)) || touched.nodes.has(nodeOf(id))) touched.peers.add(id);
    for (const id of touched.peers) touched.nodes.add(nodeOf(id));
    return this.#changeOf(touched);
  }

  /** All there is, and an end of what this host knows and the store does not. */
  whole(side: ClusterSide): ClusterChange {
    return this.#changeOf({
      networks: new Set([...this.#networks.keys(), ...side.networks().map(({ id }) => id)]),
      peers: new Set([...this.#endpoints.keys(), ...side.peers().map(({ id }) => id)]),
      nodes: new Set([
        ...this.#nodes.keys(),
        ...[...this.#endpoints.keys()].map(nodeOf),
        ...side.vteps().map(({ id }) => id),
      ]),
    });
  }

  #note({ key, after }: SeenKey, touched: Touched): void {
    const read = readKey(key);
    if (read?.of === 'network') {
      const value = after && readNetwork(after.value);
      if (value?.id === read.id) this.#networks.set(read.id, value);
      else this.#networks.delete(read.id);
      touched.networks.add(read.id);
    } else if (read?.of === 'node') {
      const value = after && readNode(after.value);
      if (value) this.#nodes.set(read.node, value);
      else this.#nodes.delete(read.node);
      touched.nodes.add(read.node);
    } else if (read?.of === 'endpoint' && read.node !== this.self.id) {
      const peer = peerId(read.networkId as NetworkId, read.node);
      const value = after && readEndpoint(after.value);
      const known = this.#endpoints.get(peer) ?? new Map<string, StoredEndpoint>();
      if (value?.endpoint.id === read.id) known.set(read.id, value);
      else known.delete(read.id);
      if (known.size > 0) this.#endpoints.set(peer, known);
      else this.#endpoints.delete(peer);
      touched.peers.add(peer);
    }
  }

  #changeOf({ networks, peers, nodes }: Touched): ClusterChange {
    return {
      ...NO_CHANGE,
      networks: new Map([...networks].map((id) => [id as NetworkId, this.#networks.get(id) ?? null])),
      peers: new Map([...peers].map((id) => [id, this.#peer(id)])),
      vteps: new Map([...nodes].map((id) => [id, this.#vtep(id)])),
    };
  }

  #peer(id: string): Peer | null {
    const network = this.#networks.get(networkOf(id));
    const node = nodeOf(id);
    const place = this.#placeOf(node);
    if (!network || !place) return null;
    const fits = givable(network);
    const endpoints = [...(this.#endpoints.get(id)?.values() ?? [])]
      .map(({ endpoint }) => endpoint)
      .filter(({ ipv4, ipv6 }) => fits(ipv4, ipv6))
      .sort((a, b) => (a.id < b.id ? -1 : 1));
    if (endpoints.length === 0) return null;
    const { address, tunnel } = place;
    return { id, networkId: network.id, node, address, ...(tunnel ? { key: tunnel.key } : {}), endpoints };
  }

  /** As its daemon says while it is there; else as it said when its containers came. */
  #placeOf(node: string): Place | undefined {
    const live = this.#nodes.get(node);
    if (live) return live;
    for (const [id, endpoints] of this.#endpoints)
      if (nodeOf(id) === node) for (const endpoint of endpoints.values()) return endpoint;
    return undefined;
  }

  /** A host whose daemon is away is one as long as it has containers: they live on. */
  #vtep(id: string): Vtep | null {
    if (id === this.self.id) return this.self;
    const place = this.#placeOf(id);
    if (!place || place.address === this.self.address) return null;
    const { address, tunnel } = place;
    return {
      ...{ id, name: this.#nodes.get(id)?.name ?? id, address, own: false },
      ...(tunnel ? { tunnel } : {}),
    };
  }
}

const networkOf = (peer: string): string => peer.split('/')[0] ?? '';
const nodeOf = (peer: string): string => peer.split('/')[1] ?? '';
