/**
 * The kinds of records, one row each: all that the commit has to know of a kind. Types of records, changes and look-ups follow
 * from the rows, so a new kind is a row here and nothing else.
 */
import { DRIVERS } from '../../drivers/index.js';
import { isOwnIpam } from '../../ipam/own.js';
import { reservedBy } from '../../ipam/space.js';
import type { Takes } from '../../ipam/taken.js';
import { type Balancer, publishes, vipsOf } from '../../model/balancer.js';
import type { Claim, TakenAddress } from '../../model/claim.js';
import type { Container } from '../../model/container.js';
import { addressesOf, type Endpoint, type Sandbox } from '../../model/endpoint.js';
import type { Network } from '../../model/network.js';
import type { Owed } from '../../model/owed.js';
import type { Peer, Vtep } from '../../model/peer.js';
import { HOST_SLICE, type Slice } from '../../plan/objects.js';
import type { StoredChange } from '../../store/store.js';
import type { Keys, Table as Memory } from './table.js';

/** What a row may look up, as it was before the commit. */
interface Related {
  readonly networks: ReadonlyMap<string, Network>;
  /** those that span the hosts of a cluster */
  overlays(): readonly Network[];
  peersOf(networkId: string): readonly Peer[];
  balancersOf(networkId: string): readonly Balancer[];
  vteps(): readonly Vtep[];
  endpointsOfNetwork(id: string): readonly Endpoint[];
  endpointsOfSandbox(id: string): readonly Endpoint[];
}

export interface Row<R, I extends string> {
  /**
   * who keeps the records: our own store, or the cluster, of whose store ours are a cache that is never written down, or
   * nobody: they are gone with the daemon
   */
  readonly source: 'local' | 'cluster' | 'memory';
  /**
   * Must the change be on the disk before the client is answered? After a reboot nothing runs, so what only runs need not;
   * what the user asked for must. Each is null where there is none.
   */
  readonly outlivesReboot: (before: R | null, after: R | null) => boolean;
  /** how records are found, besides by their ids */
  readonly indices: Readonly<Record<I, Keys<R>>>;
  /** what nobody else may have while the record is there; absent: nothing */
  readonly takes?: (record: R) => Takes;
  /** the slices whose objects depend on the record */
  readonly touches: (id: string, before: R | null, after: R | null, related: Related) => readonly Slice[];
}

/** The record's type is named, the names of its indices are inferred. */
export const row =
  <R>() =>
  <I extends string>(declared: Row<R, I>): Row<R, I> =>
    declared;

const endpoints = (of: readonly Endpoint[]): readonly Slice[] =>
  of.map(({ id }) => ({ kind: 'endpoint', id }));

const sandboxOf = ({ sandboxId }: Endpoint): readonly Slice[] =>
  sandboxId === null ? [] : [{ kind: 'sandbox', id: sandboxId }];

/** Those whose containers may send to the service's addresses. */
const senders = (balancer: Balancer | null, related: Related): readonly Slice[] =>
  balancer && vipsOf(balancer).length > 0
    ? related.endpointsOfNetwork(balancer.networkId).flatMap(sandboxOf)
    : [];

const takenBy = (endpoint: Pick<Endpoint, 'networkId' | 'ipv4' | 'ipv6'>): readonly TakenAddress[] =>
  addressesOf(endpoint).map((address) => ({ networkId: endpoint.networkId, address }));

/** The slices of other hosts on a network. */
export const acrossHosts = (
  { id, ingress }: Network,
  related: Pick<Related, 'peersOf' | 'vteps'>,
): readonly Slice[] => [
  ...related.peersOf(id).map((peer): Slice => ({ kind: 'peer', id: peer.id })),
  ...(ingress ? related.vteps().map((vtep): Slice => ({ kind: 'vtep', id: vtep.id })) : []),
];

/** What of a network that spans hosts depends on anything of it; of others nothing does. */
const overlaySlices = (network: Network | null | undefined, related: Related): readonly Slice[] =>
  network?.overlay ? [{ kind: 'network', id: network.id }, ...acrossHosts(network, related)] : [];

/** There is something of such a network on this host only while a container of ours is on it, or all hosts publish by it. */
const comesOrGoes = (
  { id, networkId }: Pick<Endpoint | Balancer, 'id' | 'networkId'>,
  related: Related,
): readonly Slice[] => {
  const network = related.networks.get(networkId);
  if (!network?.overlay) return [];
  const others = [
    ...related.endpointsOfNetwork(networkId),
    ...related.balancersOf(networkId).filter(publishes),
  ].filter((other) => other.id !== id);
  if (others.length > 0) return [];
  // What encrypted networks lead through is all of theirs.
  return [...(network.overlay.encrypted ? [HOST_SLICE] : []), ...overlaySlices(network, related)];
};

/** What all hosts publish, where they do. */
const published = (
  id: string,
  before: Balancer | null,
  after: Balancer | null,
  related: Related,
): readonly Slice[] => {
  const [did, does] = [before, after].map((balancer) => (balancer && publishes(balancer) ? balancer : null));
  const any = does ?? did;
  if (!any) return [];
  return [...(did && does ? [] : comesOrGoes(any, related)), { kind: 'balancer', id }];
};

/** What depends on how this host takes part in the network. */
const ofOwnPlace = (network: Network, related: Related): readonly Slice[] => [
  ...overlaySlices(network, related),
  ...(network.ingress
    ? [
        ...related
          .balancersOf(network.id)
          .filter(publishes)
          .map(({ id }): Slice => ({ kind: 'balancer', id })),
        ...endpoints(related.endpointsOfNetwork(network.id)),
      ]
    : []),
];

/** A plugin's pools are no part of our address space. */
const networkTakes = ({ id, ipam, pools }: Network): Takes => ({
  subnets: isOwnIpam(ipam.driver) ? pools.map(({ subnet }) => subnet) : [],
  addresses: pools.flatMap((pool) => reservedBy(pool).map((address) => ({ networkId: id, address }))),
});

export const onNetwork = (networkId: string, name: string): string => `${networkId} ${name}`;

/** Addresses that a container names for itself, by the network's id (its name, until that is resolved). */
export const askedAddresses = ({
  networks,
}: Container): readonly { readonly network: string; readonly address: string }[] =>
  networks.flatMap(({ networkId, name, settings: { ipv4, ipv6 } }) =>
    [ipv4, ipv6].flatMap((address) =>
      address === undefined ? [] : [{ network: networkId || name, address }],
    ),
  );

/** `--rm` is gone after a reboot anyway; of the others, what their users said. */
const containerOutlives = (before: Container | null, after: Container | null): boolean => {
  if ((after ?? before)?.hostConfig.AutoRemove) return false;
  if (before === null || after === null) return before !== after;
  return (
    before.name !== after.name ||
    before.hostConfig !== after.hostConfig ||
    before.networks !== after.networks ||
    before.stoppedByUser !== after.stoppedByUser
  );
};

/** One that others are made from is nowhere. */
const inUse = ({ configOnly }: Network, key: string): readonly string[] => (configOnly ? [] : [key]);

/** Where a network of the driver lies on the host; those of drivers that do not say are all in one place. */
export const onInterface = (network: Pick<Network, 'id' | 'driver' | 'options'>): string =>
  `${network.driver} ${DRIVERS.get(network.driver)?.onInterface?.(network) ?? ''}`;

export const TABLES = {
  network: row<Network>()({
    source: 'local',
    outlivesReboot: () => true,
    indices: {
      name: ({ name }) => [name],
      overlay: ({ overlay }) => (overlay ? ['overlay'] : []),
      driver: (network) => inUse(network, network.driver),
      interface: (network) => inUse(network, onInterface(network)),
      ipv6: (network) => (network.ipv6 ? inUse(network, 'ipv6') : []),
      // Whose pools nobody keeps apart from all others'.
      plugin: (network) => (isOwnIpam(network.ipam.driver) ? [] : inUse(network, network.driver)),
    },
    takes: networkTakes,
    touches: (id, before, after, related) => [
      HOST_SLICE,
      { kind: 'network', id },
      ...(before && after ? endpoints(related.endpointsOfNetwork(id)) : []),
      ...overlaySlices(before, related),
    ],
  }),
  endpoint: row<Endpoint>()({
    source: 'local',
    outlivesReboot: () => false,
    indices: {
      network: ({ networkId }) => [networkId],
      sandbox: ({ sandboxId }) => [sandboxId],
      link: ({ hostIfname }) => (hostIfname === '' ? [] : [hostIfname]),
      name: ({ networkId, dnsNames }) => dnsNames.map((name) => onNetwork(networkId, name.toLowerCase())),
      address: (endpoint) => addressesOf(endpoint).map((address) => onNetwork(endpoint.networkId, address)),
    },
    takes: (endpoint) => ({ addresses: takenBy(endpoint) }),
    touches: (id, before, after, related) => [
      // What it is a port of comes before it, and goes behind it.
      ...[before ?? after].flatMap((e) => (e && !(before && after) ? comesOrGoes(e, related) : [])),
      { kind: 'endpoint', id },
      // Which services are reached from there.
      ...[before ?? after].flatMap((e) => (e && !(before && after) ? sandboxOf(e) : [])),
    ],
  }),
  sandbox: row<Sandbox>()({
    source: 'local',
    outlivesReboot: () => false,
    indices: {},
    // Routes of its endpoints move with its gateways.
    touches: (id, _before, _after, related) => [
      { kind: 'sandbox', id },
      ...endpoints(related.endpointsOfSandbox(id)),
    ],
  }),
  container: row<Container>()({
    source: 'local',
    outlivesReboot: containerOutlives,
    indices: {
      name: ({ name }) => [name],
      // Also of containers that do not run, whose addresses nobody has.
      asks: (container) => askedAddresses(container).map(({ network }) => network),
    },
    touches: () => [],
  }),
  owed: row<Owed>()({
    source: 'local',
    // A plugin keeps its networks over a reboot (a central database), as we keep ours.
    outlivesReboot: (_before, after) => after?.of === 'network',
    indices: {},
    touches: () => [],
  }),
  // Brought by the cluster's store, and kept here too: a daemon that starts while that is away changes nothing.
  peer: row<Peer>()({
    source: 'local',
    outlivesReboot: () => false,
    indices: {
      network: ({ networkId }) => [networkId],
      name: ({ networkId, endpoints: remote }) =>
        remote.flatMap(({ dnsNames }) => dnsNames.map((name) => onNetwork(networkId, name.toLowerCase()))),
      address: ({ networkId, endpoints: remote }) =>
        remote.flatMap((e) => addressesOf(e).map((address) => onNetwork(networkId, address))),
    },
    takes: ({ networkId, endpoints: remote }) => ({
      addresses: remote.flatMap((e) => takenBy({ ...e, networkId })),
    }),
    touches: (id) => [{ kind: 'peer', id }],
  }),
  // Likewise brought and kept.
  balancer: row<Balancer>()({
    source: 'local',
    outlivesReboot: () => false,
    indices: {
      network: ({ networkId }) => [networkId],
      name: ({ networkId, names }) => names.map((name) => onNetwork(networkId, name.toLowerCase())),
      address: (balancer) => vipsOf(balancer).map((address) => onNetwork(balancer.networkId, address)),
    },
    takes: (balancer) => ({
      addresses: vipsOf(balancer).map((address) => ({ networkId: balancer.networkId, address })),
    }),
    touches: (id, before, after, related) => [
      ...published(id, before, after, related),
      ...senders(before, related),
      ...senders(after, related),
    ],
  }),
  vtep: row<Vtep>()({
    source: 'local',
    outlivesReboot: () => false,
    indices: { own: ({ own }) => (own ? ['own'] : []) },
    touches: (id, before, after, related) => [
      HOST_SLICE,
      { kind: 'vtep', id },
      ...((before ?? after)?.own
        ? related.overlays().flatMap((network) => ofOwnPlace(network, related))
        : []),
    ],
  }),
  claim: row<Claim>()({
    source: 'memory',
    outlivesReboot: () => false,
    indices: { name: ({ name }) => (name === undefined ? [] : [name]) },
    takes: (claim) => claim,
    touches: () => [],
  }),
};

type RecordOf<T> = T extends Row<infer R, infer _> ? R : never;
type IndexOf<T> = T extends Row<infer _, infer I> ? I : never;
type Declared = typeof TABLES;

export type Table = keyof Declared;
export type Records = { readonly [T in Table]: RecordOf<Declared[T]> };
export type Rows = { readonly [T in Table]: Row<Records[T], IndexOf<Declared[T]>> };
export type Tables = { readonly [T in Table]: Memory<Records[T], IndexOf<Declared[T]>> };

/** One record set (`value`) or removed (`null`). */
export type Change<T extends Table = Table> = {
  [K in T]: { readonly table: K; readonly id: string; readonly value: Records[K] | null };
}[T];

/** The record is to be there, as it is given. */
export const put = <T extends Table>(table: T, value: Records[T]): Change =>
  ({ table, id: value.id, value }) as Change; // of its own table, by the type of the arguments

/** The record is to go. */
export const drop = (table: Table, id: string): Change => ({ table, id, value: null });

/** Records of a table that only a later version knows stay in the store, and are nobody's here. */
export const isKnown = (change: StoredChange): change is Change => Object.hasOwn(TABLES, change.table);
