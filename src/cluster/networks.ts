/**
 * Networks as a client sees them on a node of a swarm: this host's, and on a manager those of the cluster besides. What spans hosts is
 * made and removed by a manager; it comes to this host when a container of it needs it.
 */
import type { NetworkCommands, NetworkCreateRequest } from '../engine/contract.js';
import { conflict, forbidden, invalid } from '../errors.js';
import type { Network } from '../model/network.js';
import { peerId } from '../model/peer.js';
import type { Swarm } from './contract.js';

const WORKER =
  'Cannot create a multi-host network from a worker node. Please create the network from a manager node.';

/** As the engine looks: the whole id, the name, the beginning of an id. */
const found = (networks: readonly Network[], reference: string): Network | undefined => {
  const exact =
    networks.find(({ id }) => id === reference) ?? networks.find(({ name }) => name === reference);
  if (exact || reference === '') return exact;
  const [first, second] = networks.filter(({ id }) => id.startsWith(reference));
  if (second) throw invalid(`network ${reference} is ambiguous (2 matches found based on ID prefix)`);
  return first;
};

/** `spans`: networks of the request's driver span hosts. */
export const withSwarm = (
  local: NetworkCommands,
  swarm: Pick<Swarm, 'status' | 'manager'>,
  spans: (request: NetworkCreateRequest) => boolean,
): NetworkCommands => {
  /** those that this host has no part in */
  const others = (): readonly Network[] =>
    swarm.status().control
      ? swarm
          .manager()
          .networks()
          .filter(({ id }) => !local.find(id))
      : [];

  const find = (reference: string): Network | undefined => {
    const known = local.find(reference);
    const exact = known && (known.id === reference || known.name === reference);
    return exact ? known : (found(others(), reference) ?? known);
  };

  const get = (reference: string): Network => find(reference) ?? local.get(reference);

  const isOfSwarm = ({ scope }: Network): boolean => scope === 'swarm' && swarm.status().state !== 'inactive';

  const create: NetworkCommands['create'] = async (request) => {
    const wide = !request.configOnly && (request.ingress || request.scope === 'swarm' || spans(request));
    const { state, control } = swarm.status();
    if (state === 'inactive') return local.create(request);
    const taken = others().some(({ name }) => name === request.name);
    if (taken) throw conflict(`network with name ${request.name} already exists`);
    if (!wide) return local.create(request);
    if (state === 'active' && !control) throw forbidden(WORKER);
    const manager = swarm.manager();
    if (local.find(request.name)?.name === request.name)
      throw conflict(`network with name ${request.name} already exists`);
    return manager.createNetwork(request);
  };

  const remove: NetworkCommands['remove'] = async (reference, force) => {
    const network = get(reference);
    if (isOfSwarm(network)) await swarm.manager().removeNetwork(network.id);
    else await local.remove(network.id, force);
  };

  /** With this node itself, as Docker tells them. */
  const peers: NetworkCommands['peers'] = (network) => {
    const known = local.peers(network);
    if (!isOfSwarm(network) || local.endpoints(network).length === 0) return known;
    const { nodeId: node, address } = swarm.status();
    return [...known, { id: peerId(network.id, node), networkId: network.id, node, address, endpoints: [] }];
  };

  return {
    ...local,
    peers,
    create,
    remove,
    find,
    get,
    list: () => [...local.list(), ...others()],
    async prune(selected) {
      const removed = await local.prune((network) => !isOfSwarm(network) && selected(network));
      if (!swarm.status().control) return removed;
      const unused = swarm
        .manager()
        .networks()
        .filter((network) => !network.ingress && selected(network));
      // One after the other: each gives its subnets back to the same list.
      const names: string[] = [];
      for (const { id, name } of unused)
        await swarm
          .manager()
          .removeNetwork(id)
          .then(() => names.push(name))
          .catch(() => {}); // in use, or gone
      return [...removed, ...names];
    },
  };
};
