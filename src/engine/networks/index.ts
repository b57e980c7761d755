/** Network commands: create, remove, look up, prune. Each is done, on disk and in the kernel, when it returns. */

import { forbidden } from '../../errors.js';
import { isOwnIpam } from '../../ipam/own.js';
import type { NetworkId } from '../../model/ids.js';
import type { Network } from '../../model/network.js';
import type { NetworkCommands, NetworkCreateRequest } from '../contract.js';
import type { Parts } from '../parts.js';
import { checkPluginsThere, createWithPlugins, type PluginAnswers } from '../plugins/networks.js';
import { owedForNetwork, usesPlugins } from '../plugins/part.js';
import { design, type Naming, naming } from './design.js';
import { overlapWarning } from './overlaps.js';
import { sourceWarning } from './sources.js';

const announce = (parts: Parts, network: Network, action: string, container?: string): void =>
  parts.events.publish({
    type: 'network',
    action,
    actor: {
      id: network.id,
      attributes: { name: network.name, type: network.driver, ...(container ? { container } : {}) },
    },
  });

export const networkEvent = announce;

const settleIn = (parts: Parts, network: Network): void => {
  const owed = parts.model.owed.has(network.id)
    ? [{ table: 'owed', id: network.id, value: null } as const]
    : [];
  parts.ledger.commit([{ table: 'network', id: network.id, value: network }, ...owed]);
  if (isOwnIpam(network.ipam.driver)) parts.addresses.open(network);
};

/** In one go: no plugin has a part in it. */
const createAlone = (parts: Parts, named: Naming): Network => {
  const network = design(parts, named, { scope: 'local' });
  settleIn(parts, network);
  for (const { subnet } of network.pools) parts.subnets.add(subnet);
  return network;
};

/** A network that the engine itself has use for, of a built-in driver. */
export const createOwn = (parts: Parts, request: NetworkCreateRequest): Network => {
  const network = createAlone(parts, naming(parts, request));
  announce(parts, network, 'create');
  return network;
};

const create = async (
  parts: Parts,
  asked: NetworkCreateRequest,
): Promise<{ id: NetworkId; warning: string }> => {
  const named = naming(parts, asked);
  const { request } = named;
  let network: Network;
  if (!request.configOnly && usesPlugins(parts, request)) {
    const designed = (answers: PluginAnswers): Network => design(parts, named, answers);
    const commit = (made: Network): void => settleIn(parts, made);
    network = await createWithPlugins(parts, { ...named, design: designed, commit });
  } else network = createAlone(parts, named);
  announce(parts, network, 'create');
  const chosen = !network.configOnly && request.ipam.config.some(({ subnet }) => subnet !== undefined);
  const warnings = [chosen ? overlapWarning(parts, network) : '', sourceWarning(parts, network)];
  const told = warnings.filter((text) => text !== '');
  for (const text of told) parts.log.warn({ network: network.name }, text);
  return { id: network.id, warning: told.join('; ') };
};

const checkUnused = (parts: Parts, network: Network): void => {
  if (network.predefined) throw forbidden(`${network.name} is a pre-defined network and cannot be removed`);
  const users = parts.model.endpointsOfNetwork(network.id);
  if (users.length > 0) {
    const list = users.map((e) => `name:"${e.containerName}" id:"${e.id.slice(0, 12)}"`).join(', ');
    throw forbidden(`error while removing network: network ${network.name} has active endpoints (${list})`);
  }
  const dependent = [...parts.model.networks.values()].find(
    (n) => network.configOnly && n.configFrom === network.name,
  );
  if (dependent)
    throw forbidden(`configuration network "${network.name}" is in use by network "${dependent.name}"`);
};

/** What plugins hold for it is owed from the same commit on. */
const removeNow = (parts: Parts, network: Network): void => {
  checkUnused(parts, network);
  const { id } = network;
  const owed = owedForNetwork(parts, network);
  parts.ledger.commit([
    { table: 'network', id, value: null },
    ...(owed ? [{ table: 'owed', id, value: owed } as const] : []),
  ]);
  parts.addresses.close(id);
  if (isOwnIpam(network.ipam.driver)) for (const pool of network.pools) parts.subnets.remove(pool.subnet);
  announce(parts, network, 'destroy');
};

const remove = async (parts: Parts, reference: string, force: boolean): Promise<void> => {
  const network = parts.model.getNetwork(reference);
  if (network.configOnly || !usesPlugins(parts, network)) return removeNow(parts, network);
  checkUnused(parts, network);
  if (!force) checkPluginsThere(parts, network);
  await parts.networkLocks.run(network.id, async () => {
    await parts.debts.quiet(network.id);
    removeNow(parts, parts.model.getNetwork(network.id));
    await parts.debts.settle(network.id);
  });
};

const inUse = (parts: Parts, network: Network): boolean =>
  parts.model.endpointsOfNetwork(network.id).length > 0 ||
  [...parts.model.networks.values()].some((n) => network.configOnly && n.configFrom === network.name);

export const createNetworkCommands = (
  parts: Parts,
  attaching: Pick<NetworkCommands, 'connect' | 'disconnect'>,
): NetworkCommands => ({
  create: (request) => create(parts, request),
  remove: (reference, force = false) => remove(parts, reference, force),
  list: () => [...parts.model.networks.values()],
  get: (reference) => parts.model.getNetwork(reference),
  find: (reference) => parts.model.findNetwork(reference),
  endpoints: (network) => parts.model.endpointsOfNetwork(network.id),
  addresses: (network) => parts.addresses.counts(network),
  connect: attaching.connect,
  disconnect: attaching.disconnect,
  async prune(selected) {
    const unused = [...parts.model.networks.values()].filter(
      (n) => !n.predefined && !n.configOnly && !inUse(parts, n) && selected(n),
    );
    const removed: string[] = [];
    for (const network of unused) {
      try {
        await remove(parts, network.id, false);
        removed.push(network.name);
      } catch (error) {
        parts.log.warn({ network: network.name, error: String(error) }, 'could not remove local network');
      }
    }
    return removed;
  },
});
