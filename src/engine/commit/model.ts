/**
 * The model in memory: every record, and the look-ups that must not scan. Only the ledger changes it, one change at a
 * time; records themselves are never mutated, so whoever holds one holds a snapshot.
 */
import { invalid, notFound, type ViaductError } from '../../errors.js';
import type { Container } from '../../model/container.js';
import type { Endpoint, Sandbox } from '../../model/endpoint.js';
import type { Network } from '../../model/network.js';
import type { Owed } from '../../model/owed.js';
import type { Change } from '../../store/store.js';

/** Values grouped under a text, each with an identity of its own: `network id → endpoints`, `name → endpoints`. */
class Groups<T extends { readonly id: string }> {
  readonly #groups = new Map<string, Map<string, T>>();
  add(group: string, item: T): void {
    const existing = this.#groups.get(group);
    if (existing) existing.set(item.id, item);
    else this.#groups.set(group, new Map([[item.id, item]]));
  }
  remove(group: string, item: T): void {
    const existing = this.#groups.get(group);
    existing?.delete(item.id);
    if (existing?.size === 0) this.#groups.delete(group);
  }
  get(group: string): readonly T[] {
    return [...(this.#groups.get(group)?.values() ?? [])];
  }
}

/**
 * Addresses that containers name for themselves, by the network's id or name: also those of containers that do not run,
 * whose addresses nobody has.
 */
class NamedAddresses {
  readonly #byNetwork = new Map<string, Map<string, number>>();
  count(container: Container | null, by: 1 | -1): void {
    for (const { networkId, name, settings } of container?.networks ?? [])
      for (const address of [settings.ipv4, settings.ipv6])
        if (address !== undefined) this.#count(networkId || name, address, by);
  }
  #count(network: string, address: string, by: 1 | -1): void {
    const named = this.#byNetwork.get(network) ?? new Map<string, number>();
    const count = (named.get(address) ?? 0) + by;
    if (count > 0) named.set(address, count);
    else named.delete(address);
    if (named.size > 0) this.#byNetwork.set(network, named);
    else this.#byNetwork.delete(network);
  }
  of({ id, name }: Network): ReadonlySet<string> {
    return new Set([id, name].flatMap((key) => [...(this.#byNetwork.get(key)?.keys() ?? [])]));
  }
}

const nameKey = (networkId: string, name: string): string => `${networkId} ${name.toLowerCase()}`;
const addressKey = (networkId: string, address: string): string => `${networkId} ${address}`;
export const bare = (address: string): string => address.split('/', 1)[0] ?? '';

export class Model {
  readonly networks = new Map<string, Network>();
  readonly endpoints = new Map<string, Endpoint>();
  readonly sandboxes = new Map<string, Sandbox>();
  readonly containers = new Map<string, Container>();
  readonly owed = new Map<string, Owed>();
  readonly #networksByName = new Map<string, Network>();
  readonly #containersByName = new Map<string, Container>();
  readonly #endpointsByNetwork = new Groups<Endpoint>();
  readonly #endpointsBySandbox = new Groups<Endpoint>();
  readonly #endpointsByName = new Groups<Endpoint>();
  readonly #endpointsByAddress = new Groups<Endpoint>();
  readonly #endpointsByLink = new Map<string, Endpoint>();
  readonly #namedAddresses = new NamedAddresses();

  /** Makes one change and answers the change that undoes it. */
  change(change: Change): Change {
    const { table, id, value } = change;
    switch (table) {
      case 'network': {
        const before = this.networks.get(id) ?? null;
        if (before) this.#networksByName.delete(before.name);
        if (value) this.#networksByName.set(value.name, value);
        set(this.networks, id, value);
        return { table, id, value: before };
      }
      case 'container': {
        const before = this.containers.get(id) ?? null;
        if (before) this.#containersByName.delete(before.name);
        if (value) this.#containersByName.set(value.name, value);
        if (before?.networks !== value?.networks) {
          this.#namedAddresses.count(before, -1);
          this.#namedAddresses.count(value, 1);
        }
        set(this.containers, id, value);
        return { table, id, value: before };
      }
      case 'sandbox': {
        const before = this.sandboxes.get(id) ?? null;
        set(this.sandboxes, id, value);
        return { table, id, value: before };
      }
      case 'endpoint': {
        const before = this.endpoints.get(id) ?? null;
        if (before) this.#index(before, 'remove');
        if (value) this.#index(value, 'add');
        set(this.endpoints, id, value);
        return { table, id, value: before };
      }
      case 'owed': {
        const before = this.owed.get(id) ?? null;
        set(this.owed, id, value);
        return { table, id, value: before };
      }
    }
  }

  #index(endpoint: Endpoint, verb: 'add' | 'remove'): void {
    const { networkId, hostIfname } = endpoint;
    if (verb === 'remove') this.#endpointsByLink.delete(hostIfname);
    else if (hostIfname !== '') this.#endpointsByLink.set(hostIfname, endpoint);
    this.#endpointsByNetwork[verb](networkId, endpoint);
    this.#endpointsBySandbox[verb](endpoint.sandboxId, endpoint);
    for (const name of endpoint.dnsNames) this.#endpointsByName[verb](nameKey(networkId, name), endpoint);
    for (const address of [endpoint.ipv4, endpoint.ipv6])
      if (address) this.#endpointsByAddress[verb](addressKey(networkId, bare(address)), endpoint);
  }

  endpointsOfNetwork = (id: string): readonly Endpoint[] => this.#endpointsByNetwork.get(id);
  /** In the order in which they were made. */
  endpointsOfSandbox = (id: string): readonly Endpoint[] => this.#endpointsBySandbox.get(id);
  endpointsNamed = (networkId: string, name: string): readonly Endpoint[] =>
    this.#endpointsByName.get(nameKey(networkId, name));
  /** The endpoint whose link on the host has this name. */
  endpointOnLink = (hostIfname: string): Endpoint | undefined => this.#endpointsByLink.get(hostIfname);
  endpointAt = (networkId: string, address: string): Endpoint | undefined =>
    this.#endpointsByAddress.get(addressKey(networkId, address))[0];

  /** Bare addresses that containers ask for on the network, whether they run or not. */
  namedAddresses = (network: Network): ReadonlySet<string> => this.#namedAddresses.of(network);

  findNetwork(reference: string): Network | undefined {
    const name = reference === 'default' ? 'bridge' : reference;
    return (
      this.networks.get(name) ??
      this.#networksByName.get(name) ??
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

  networkNamed = (name: string): Network | undefined => this.#networksByName.get(name);

  containerNamed = (name: string): Container | undefined => this.#containersByName.get(name);

  findContainer(reference: string): Container | undefined {
    const name = reference.startsWith('/') ? reference.slice(1) : reference;
    return (
      this.containers.get(name) ??
      this.#containersByName.get(name) ??
      this.#linked(name) ??
      byPrefix(this.containers, name, () => invalid(`Multiple IDs found with provided prefix: ${name}`))
    );
  }

  /** `client/alias`: the container that `client` links to under that name. */
  #linked(name: string): Container | undefined {
    const slash = name.lastIndexOf('/');
    const parent = slash < 0 ? undefined : this.#containersByName.get(name.slice(0, slash));
    const link = parent?.links?.find(({ alias }) => alias === name.slice(slash + 1));
    return link && this.containers.get(link.target);
  }

  getContainer(reference: string): Container {
    const container = this.findContainer(reference);
    if (!container) throw notFound(`No such container: ${reference}`);
    return container;
  }
}

const set = <T>(map: Map<string, T>, id: string, value: T | null): void => {
  if (value === null) map.delete(id);
  else map.set(id, value);
};

const PREFIX = /^[0-9a-f]{1,63}$/;

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
