/**
 * The model in memory: the tables' records with their look-ups, and how users' references to them are understood. Only the
 * ledger changes it, one change at a time; records themselves are never mutated, so whoever holds one holds a snapshot.
 */
import { invalid, notFound, type ViaductError } from '../../errors.js';
import { isOwnIpam } from '../../ipam/own.js';
import { type AddressSpace, emptySpace } from '../../ipam/space.js';
import { Taken } from '../../ipam/taken.js';
import { bare } from '../../model/address.js';
import type { Balancer } from '../../model/balancer.js';
import type { Container } from '../../model/container.js';
import type { Endpoint, Sandbox } from '../../model/endpoint.js';
import type { Network } from '../../model/network.js';
import type { Peer, RemoteEndpoint, Vtep } from '../../model/peer.js';
import { Table as Memory } from './table.js';
import {
  askedAddresses,
  type Change,
  onInterface,
  onNetwork,
  type Records,
  type Rows,
  TABLES,
  type Table,
  type Tables,
} from './tables.js';

/** Of this host or of another. */
export type NamedEndpoint = RemoteEndpoint;

export class Model {
  readonly tables: Tables;
  readonly taken = new Taken();
  #edition = 0;

  /** `rows`: other than today's only where a test makes one up. */
  constructor(readonly rows: Rows = TABLES) {
    const tables = Object.entries(rows).map(([name, { indices }]) => [name, new Memory(indices)]);
    this.tables = Object.fromEntries(tables) as Tables; // each table's look-ups are those of its row
  }

  get networks(): Tables['network']['records'] {
    return this.tables.network.records;
  }
  get endpoints(): Tables['endpoint']['records'] {
    return this.tables.endpoint.records;
  }
  get sandboxes(): Tables['sandbox']['records'] {
    return this.tables.sandbox.records;
  }
  get containers(): Tables['container']['records'] {
    return this.tables.container.records;
  }
  get owed(): Tables['owed']['records'] {
    return this.tables.owed.records;
  }

  /** Another number after each change: what was made of records holds as long as it is the same. */
  get edition(): number {
    return this.#edition;
  }

  /** Makes one change and answers the change that undoes it. */
  change<T extends Table>({ table, id, value }: Change<T>): Change<T> {
    this.#edition += 1;
    const before = this.tables[table].set(id, value);
    this.#count(table, before, -1);
    this.#count(table, value, 1);
    return { table, id, value: before } as Change<T>; // the table's own type comes back
  }

  /** One that goes its own way from here. */
  copy(): Model {
    const copy = new Model(this.rows);
    for (const table of Object.keys(this.rows) as Table[]) // the keys of exactly this object
      for (const [id, value] of this.tables[table].records) copy.change({ table, id, value } as Change);
    return copy;
  }

  #count<T extends Table>(table: T, record: Records[T] | null, by: 1 | -1): void {
    const takes = record && this.rows[table].takes?.(record as never); // of the table's own type
    if (takes) this.taken.count(takes, by);
  }

  /** What was, or is still, under the id of a change. */
  before<T extends Table>({ table, id }: Change<T>): Records[T] | null {
    return this.tables[table].records.get(id) ?? null;
  }

  /** Networks that span the hosts of a cluster. */
  overlays = (): readonly Network[] => this.tables.network.all('overlay', 'overlay');
  peersOf = (networkId: string): readonly Peer[] => this.tables.peer.all('network', networkId);
  balancersOf = (networkId: string): readonly Balancer[] => this.tables.balancer.all('network', networkId);
  /** The hosts of the cluster, this one too. */
  vteps = (): readonly Vtep[] => [...this.tables.vtep.records.values()];
  /** This host among those of the cluster. */
  ownVtep = (): Vtep | undefined => this.tables.vtep.first('own', 'own');

  endpointsOfNetwork = (id: string): readonly Endpoint[] => this.tables.endpoint.all('network', id);
  /** Of a container that runs; of an endpoint whose container is on this host. */
  sandboxOf = ({ sandboxId }: { readonly sandboxId: string | null }): Sandbox | undefined =>
    sandboxId === null ? undefined : this.sandboxes.get(sandboxId);
  /** In the order in which they were made. */
  endpointsOfSandbox = (id: string): readonly Endpoint[] => this.tables.endpoint.all('sandbox', id);
  /** Also those of other hosts. */
  endpointsNamed = (networkId: string, name: string): readonly NamedEndpoint[] => {
    const lower = name.toLowerCase();
    const key = onNetwork(networkId, lower);
    const here = this.tables.endpoint.all('name', key);
    const peers = this.tables.peer.all('name', key);
    if (peers.length === 0) return here;
    const there = peers.flatMap(({ endpoints }) =>
      endpoints.filter(({ dnsNames }) => dnsNames.some((known) => known.toLowerCase() === lower)),
    );
    return [...here, ...there];
  };
  /** The endpoint whose link on the host has this name. */
  endpointOnLink = (hostIfname: string): Endpoint | undefined =>
    this.tables.endpoint.first('link', hostIfname);
  /** Also one of another host. */
  endpointAt = (networkId: string, address: string): NamedEndpoint | undefined => {
    const key = onNetwork(networkId, address);
    const has = ({ ipv4, ipv6 }: NamedEndpoint) =>
      [ipv4, ipv6].some((own) => own !== undefined && bare(own) === address);
    return (
      this.tables.endpoint.first('address', key) ??
      this.tables.peer.first('address', key)?.endpoints.find(has)
    );
  };

  /** Bare addresses that containers ask for on the network, whether they run or not. */
  namedAddresses({ id, name }: Network): ReadonlySet<string> {
    const asking = new Set([id, name].flatMap((key) => this.tables.container.all('asks', key)));
    const asked = [...asking].flatMap((container) => [...askedAddresses(container)]);
    return new Set(
      asked.flatMap(({ network, address }) => (network === id || network === name ? [address] : [])),
    );
  }

  findNetwork(reference: string): Network | undefined {
    const name = reference === 'default' ? 'bridge' : reference;
    return (
      this.networks.get(name) ??
      this.networkNamed(name) ??
      byPrefix(this.networks, name, (n) =>
        invalid(`network ${name} is ambiguous (${n} matches found on ID prefix)`),
      )
    );
  }

  getNetwork(reference: string): Network {
    const network = this.findNetwork(reference);
    if (!network) throw notFound(`network ${reference} not found`);
    return network;
  }

  /** The network's addresses, also of one that is not committed yet. */
  addressesOn = ({ id, pools }: Pick<Network, 'id' | 'pools'>): AddressSpace =>
    this.taken.on(id) ?? emptySpace(...pools);

  /** Is a network of the name there, or being made? */
  hasNetworkName = (name: string): boolean =>
    this.networkNamed(name) !== undefined || this.tables.claim.first('name', name) !== undefined;

  /** Of the driver, those that are more than a configuration for others. */
  networksOf = (driver: string): readonly Network[] => this.tables.network.all('driver', driver);

  /**
   * Of the network's driver, those that may be in its way: on the same interface of the host, or with pools that may overlap with its own,
   * which those of our own address space never do.
   */
  mayClash = (network: Network): readonly Network[] =>
    isOwnIpam(network.ipam.driver)
      ? [
          ...this.tables.network.all('interface', onInterface(network)),
          ...this.tables.network.all('plugin', network.driver),
        ]
      : this.networksOf(network.driver);

  networkNamed = (name: string): Network | undefined => this.tables.network.first('name', name);

  containerNamed = (name: string): Container | undefined => this.tables.container.first('name', name);

  findContainer(reference: string): Container | undefined {
    const name = reference.startsWith('/') ? reference.slice(1) : reference;
    return (
      this.containers.get(name) ??
      this.containerNamed(name) ??
      this.#linked(name) ??
      byPrefix(this.containers, name, () => invalid(`Multiple IDs found with provided prefix: ${name}`))
    );
  }

  /** `client/alias`: the container that `client` links to under that name. */
  #linked(name: string): Container | undefined {
    const slash = name.lastIndexOf('/');
    const parent = slash < 0 ? undefined : this.containerNamed(name.slice(0, slash));
    const link = parent?.links?.find(({ alias }) => alias === name.slice(slash + 1));
    return link && this.containers.get(link.target);
  }

  getContainer(reference: string): Container {
    const container = this.findContainer(reference);
    if (!container) throw notFound(`No such container: ${reference}`);
    return container;
  }
}

/** For who only reads it. */
export type ReadModel = Omit<Model, 'change'>;

/** Ids of a swarm's networks are in base 36. */
const PREFIX = /^[0-9a-z]{1,63}$/;

const byPrefix = <T>(
  map: ReadonlyMap<string, T>,
  prefix: string,
  ambiguous: (matches: number) => ViaductError,
): T | undefined => {
  if (prefix.length > 63 || !PREFIX.test(prefix)) return undefined;
  const matches: T[] = [];
  for (const [id, value] of map) if (id.startsWith(prefix)) matches.push(value);
  if (matches.length > 1) throw ambiguous(matches.length);
  return matches[0];
};
