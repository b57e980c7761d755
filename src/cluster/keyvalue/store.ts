/** What the engine asks of the cluster's store, as transactions: each is done whole or not at all, whoever else writes. */
import type { OverlayWish, Wire } from '../../drivers/contract.js';
import type { ClusterStore } from '../../engine/cluster.js';
import { conflict, notFound, unavailable } from '../../errors.js';
import { bare, overlaps, parsePrefix } from '../../model/address.js';
import type { NetworkId } from '../../model/ids.js';
import type { Network, Overlay } from '../../model/network.js';
import type { OwedCall } from '../../model/owed.js';
import type { RemoteEndpoint } from '../../model/peer.js';
import type { Compare, Entry, Etcd, Operation } from '../etcd/contract.js';
import { keys } from './keys.js';
import { type Place, readEndpoint, readNetwork, readSubnets, writeEndpoint, writeNetwork } from './values.js';

type Store = Pick<Etcd, 'range' | 'txn'>;

/** Docker's in a cluster: what is below belongs to whoever sets up VXLAN by hand. */
const FIRST_VNI = 4096;
const LAST_VNI = 2 ** 24 - 1;
/** Others may be quicker, but not for ever. */
const MOST_TRIES = 32;
/** Of nothing. */
const BARRIER = 'barrier';

export interface StoreParts {
  /** below the user's path */
  readonly etcd: Store;
  readonly wire: () => Wire;
  readonly warnings: () => readonly string[];
  readonly node: string;
  /** of this host */
  readonly place: Place;
  /** Runs one request; what is wrong with the store is told in words that users understand. */
  readonly asking: <T>(work: () => Promise<T>) => Promise<T>;
}

const find = async (etcd: Store, key: string): Promise<Entry | undefined> =>
  (await etcd.range({ key })).entries[0];

/**
 * The same, where that there is none is what matters: a member that has just started may answer a read before it has all that was
 * written before its end; what changes something it does in order. (Seen with etcd 3.4, one member, killed.)
 */
const surely = async (etcd: Store, key: string): Promise<Entry | undefined> => {
  const entry = await find(etcd, key);
  if (entry) return entry;
  await etcd.txn({ success: [{ do: 'delete', key: BARRIER }] });
  return find(etcd, key);
};

const put = (key: string, value: string): Operation => ({ do: 'put', key, value });
const drop = (key: string): Operation => ({ do: 'delete', key });
const absent = (key: string): Compare => ({ key, createRevision: 0 });
const unchanged = (key: string, entry: Entry | undefined): Compare => ({
  key,
  modRevision: entry?.modRevision ?? 0,
});

/** Until a transaction finds all as it was read. */
const again = async <T>(what: string, attempt: () => Promise<T | undefined>): Promise<T> => {
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    const done = await attempt();
    if (done !== undefined) return done;
  }
  throw unavailable(`${what}: other hosts of the cluster change it all the time: try again`);
};

const overlapping = (known: Readonly<Record<string, string>>, { id, pools }: Network): readonly string[] =>
  Object.entries(known).flatMap(([subnet, owner]) => {
    const other = parsePrefix(subnet);
    const meets = pools.some((pool) => {
      const own = parsePrefix(pool.subnet);
      return own && other && own.family === other.family && overlaps(own, other);
    });
    return meets && owner !== id ? [subnet] : [];
  });

const freeVni = async (etcd: Store, wished: readonly number[]): Promise<number> => {
  const { entries } = await etcd.range({ prefix: keys.vnis, keysOnly: true });
  const taken = new Set(entries.map(({ key }) => Number(key.slice(keys.vnis.length))));
  const free = wished.find((vni) => !taken.has(vni));
  if (free !== undefined) return free;
  if (wished.length > 0)
    throw conflict(
      `VXLAN network id ${wished.join(', ')} is another network's of this cluster: name another`,
    );
  for (let vni = FIRST_VNI; vni <= LAST_VNI; vni += 1) if (!taken.has(vni)) return vni;
  throw conflict('all VXLAN network ids of this cluster are taken');
};

/** What makes a network there for all hosts, where nothing of it is anybody's. undefined: something changed meanwhile. */
const publish = async (
  etcd: Store,
  network: Network,
  overlay: Overlay,
  subnets: Entry | undefined,
): Promise<Overlay | undefined> => {
  const { id, name, pools } = network;
  const all = {
    ...readSubnets(subnets?.value),
    ...Object.fromEntries(pools.map((pool) => [pool.subnet, id])),
  };
  const { succeeded } = await etcd.txn({
    compare: [
      absent(keys.network(id)),
      absent(keys.name(name)),
      absent(keys.vni(overlay.vni)),
      unchanged(keys.subnets, subnets),
    ],
    success: [
      put(keys.network(id), writeNetwork({ ...network, overlay })),
      put(keys.name(name), id),
      put(keys.vni(overlay.vni), id),
      put(keys.subnets, JSON.stringify(all)),
    ],
  });
  return succeeded ? overlay : undefined;
};

type Answer = Overlay | { readonly overlaps: readonly string[] };

const createNetwork = (etcd: Store, network: Network, wish: OverlayWish): Promise<Answer> =>
  again(`network ${network.name}`, async (): Promise<Answer | undefined> => {
    const [subnets, owner] = [await find(etcd, keys.subnets), await find(etcd, keys.name(network.name))];
    if (owner) {
      // Of an answer that got lost.
      const own = owner.value === network.id ? await find(etcd, keys.network(network.id)) : undefined;
      const known = own && readNetwork(own.value)?.overlay;
      if (known) return known;
      throw conflict(`network with name ${network.name} already exists`);
    }
    const others = overlapping(readSubnets(subnets?.value), network);
    if (others.length > 0) return { overlaps: others };
    const { vnis, warning: _, ...agreed } = wish;
    return publish(etcd, network, { ...agreed, vni: await freeVni(etcd, vnis) }, subnets);
  });

/** A network whose containers run here, and of which a store that was emptied or set back knows nothing. */
export const restoreNetwork = async (etcd: Store, network: Network): Promise<boolean> => {
  const subnets = await find(etcd, keys.subnets);
  if (!network.overlay || overlapping(readSubnets(subnets?.value), network).length > 0) return false;
  return (await publish(etcd, network, network.overlay, subnets)) !== undefined;
};

type Users = Awaited<ReturnType<ClusterStore['removeNetwork']>>;

const usersIn = (entries: readonly Entry[]): Users =>
  entries.map(({ key, value }) => {
    const endpoint = readEndpoint(value)?.endpoint;
    return { id: key.split('/').at(-1) ?? '', containerName: endpoint?.containerName ?? 'unknown' };
  });

/** All of a network, in one transaction that finds no endpoint of it on any host. */
const removal = (network: Network, subnets: Entry | undefined): readonly Operation[] => {
  const { id, name, overlay } = network;
  const left = Object.entries(readSubnets(subnets?.value)).filter(([, owner]) => owner !== id);
  return [
    drop(keys.network(id)),
    drop(keys.name(name)),
    ...(overlay ? [drop(keys.vni(overlay.vni))] : []),
    { do: 'delete', prefix: keys.addresses(id) },
    put(keys.subnets, JSON.stringify(Object.fromEntries(left))),
  ];
};

const removeNetwork = (etcd: Store, id: string, name: string): Promise<Users> =>
  again(`network ${name}`, async () => {
    const [entry, subnets] = [await surely(etcd, keys.network(id)), await find(etcd, keys.subnets)];
    const network = entry && readNetwork(entry.value);
    if (!entry || !network) return [];
    const { succeeded, results } = await etcd.txn({
      compare: [
        { prefix: keys.endpoints(id), createRevision: 0 },
        unchanged(keys.network(id), entry),
        unchanged(keys.subnets, subnets),
      ],
      success: removal(network, subnets),
      failure: [{ do: 'get', prefix: keys.endpoints(id) }],
    });
    if (succeeded) return [];
    const found = results[0]?.do === 'get' ? results[0].entries : [];
    return found.length > 0 ? usersIn(found) : undefined;
  });

const addressesOf = ({ ipv4, ipv6 }: RemoteEndpoint): readonly string[] =>
  [ipv4, ipv6].flatMap((address) => (address === undefined ? [] : [bare(address)]));

/** Addresses that others have; none: they are the endpoint's, which all hosts know from now on. One round trip where all are free. */
const claimEndpoint = (
  parts: Pick<StoreParts, 'etcd' | 'node' | 'place'>,
  networkId: NetworkId,
  endpoint: RemoteEndpoint,
): Promise<readonly string[]> => {
  const { etcd, node, place } = parts;
  const key = keys.endpoint(networkId, node, endpoint.id);
  const places = addressesOf(endpoint).map((own) => keys.address(networkId, own));
  return again(`endpoint ${endpoint.containerName}`, async () => {
    const { succeeded, results } = await etcd.txn({
      compare: [
        { key: keys.network(networkId), is: '!=', createRevision: 0 },
        absent(key),
        ...places.map(absent),
      ],
      success: [
        ...places.map((taken) => put(taken, endpoint.id)),
        put(key, writeEndpoint({ ...place, endpoint })),
      ],
      failure: [keys.network(networkId), key, ...places].map((each) => ({ do: 'get', key: each })),
    });
    if (succeeded) return [];
    const [network, known, ...holders] = results.map((each) =>
      each.do === 'get' ? each.entries[0] : undefined,
    );
    if (!network) throw notFound(`network ${networkId} not found: it was removed on another host`);
    const taken = holders.flatMap((holder) =>
      holder && holder.value !== endpoint.id ? [holder.key.slice(keys.addresses(networkId).length)] : [],
    );
    if (taken.length > 0) return taken;
    // Of an answer that got lost. One with other addresses is given back first.
    if (known && holders.every((holder) => holder !== undefined)) return [];
    const former = known && readEndpoint(known.value)?.endpoint;
    if (former) await releaseEndpoint(parts, released(networkId, former));
    return undefined;
  });
};

/** `addresses`: bare. */
export interface Released {
  readonly networkId: string;
  readonly id: string;
  readonly addresses: readonly string[];
}

/**
 * With its addresses, in one transaction that needs no reading. One that is not there is well. `only`: what must hold besides;
 * answers false where it does not.
 */
export const releaseEndpoint = async (
  { etcd, node }: Pick<StoreParts, 'etcd' | 'node'>,
  { networkId, id, addresses }: Released,
  only: readonly Compare[] = [],
): Promise<boolean> => {
  const key = keys.endpoint(networkId, node, id);
  const places = addresses.map((own) => keys.address(networkId, own));
  const { succeeded, results } = await etcd.txn({
    compare: [...only, ...places.map((place) => ({ key: place, value: id }))],
    success: [drop(key), ...places.map(drop)],
    failure: [{ do: 'get', key }],
  });
  const there = !succeeded && results[0]?.do === 'get' ? results[0].entries[0] : undefined;
  if (!there) return true;
  if (only.length > 0) return false;
  const endpoint = readEndpoint(there.value)?.endpoint;
  const actual = endpoint ? addressesOf(endpoint) : [];
  if (actual.some((address) => !addresses.includes(address)))
    return releaseEndpoint({ etcd, node }, { networkId, id, addresses: actual });
  // Somebody took its addresses from it: they are not its to give.
  await etcd.txn({ success: [drop(key)] });
  return true;
};

export const released = (networkId: string, endpoint: RemoteEndpoint): Released => ({
  networkId,
  id: endpoint.id,
  addresses: addressesOf(endpoint),
});

const evictEndpoint = async (
  etcd: Store,
  networkId: NetworkId,
  node: string,
  endpoint: RemoteEndpoint,
): Promise<void> => {
  const gone = [absent(keys.node(node))];
  if (!(await releaseEndpoint({ etcd, node }, released(networkId, endpoint), gone)))
    throw conflict(
      `container ${endpoint.containerName} is on another host, whose daemon is there: disconnect it on that host`,
    );
};

const tell = async (parts: StoreParts, { method, body }: OwedCall): Promise<void> => {
  const { NetworkID: networkId = '', EndpointID: id = '', Addresses = '', Name = '' } = body;
  const addresses = Addresses.split(' ').filter((address) => address !== '');
  if (method === 'ReleaseEndpoint') await releaseEndpoint(parts, { networkId, id, addresses });
  // Somebody may be on it by now: then it is a network like any other.
  if (method === 'RemoveNetwork') await removeNetwork(parts.etcd, networkId, Name);
};

export const createStore = (parts: StoreParts): ClusterStore => ({
  wire: parts.wire,
  warnings: parts.warnings,
  createNetwork: (network, wish) => parts.asking(() => createNetwork(parts.etcd, network, wish)),
  removeNetwork: (id, name) => parts.asking(() => removeNetwork(parts.etcd, id, name)),
  claimEndpoint: (networkId, endpoint) => parts.asking(() => claimEndpoint(parts, networkId, endpoint)),
  evictEndpoint: (networkId, node, endpoint) =>
    parts.asking(() => evictEndpoint(parts.etcd, networkId, node, endpoint)),
  bring: async () => {}, // every host has them all
  tell: (call) => parts.asking(() => tell(parts, call)),
});
