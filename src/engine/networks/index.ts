/** Network commands: create, remove, look up, prune. Each is done, on disk and in the kernel, when it returns. */
import type { NetworkId } from '../../model/ids.js';
import type { Network } from '../../model/network.js';
import { addressCounts } from '../attach/allocate.js';
import { carryOut } from '../carry-out.js';
import { suspendedShortcuts } from '../commit/suspended.js';
import type { NetworkCommands, NetworkCreateRequest } from '../contract.js';
import { fresh } from '../fresh.js';
import type { Outside, Writing } from '../parts.js';
import { checkPluginsThere, createWithPlugins } from '../plugins/networks.js';
import { usesPlugins } from '../plugins/owed-calls.js';
import type { View } from '../view.js';
import { checkUnused, decideCreation, decideRemoval, inUse } from './decide.js';
import { design, type Naming, naming } from './design.js';
import { createInCluster, removeInCluster, spansHosts } from './in-cluster.js';
import { overlapWarning } from './overlaps.js';
import { sourceWarning } from './sources.js';

type Networking = View & Writing & Pick<Outside, 'plugins' | 'cluster' | 'networkLocks' | 'kernel'>;

/** In one go: no plugin has a part in it. */
const createAlone = (parts: Networking, named: Naming): Network => {
  const network = design(parts, named);
  carryOut(parts, decideCreation(parts, network));
  return network;
};

const create = async (
  parts: Networking,
  asked: NetworkCreateRequest,
): Promise<{ id: NetworkId; warning: string }> => {
  const named = naming(parts, fresh(), asked);
  const { request } = named;
  const asks = !request.configOnly && usesPlugins(parts, request);
  const alone = async () => (asks ? await createWithPlugins(parts, named) : createAlone(parts, named));
  const { network, warning } = spansHosts(parts, request)
    ? await createInCluster(parts, named)
    : { network: await alone(), warning: '' };
  const chosen = !network.configOnly && request.ipam.config.some(({ subnet }) => subnet !== undefined);
  const suspended = suspendedShortcuts(parts, parts.kernel.suspended(), [network]);
  const warnings = [
    warning,
    chosen ? overlapWarning(parts, network) : '',
    sourceWarning(parts, network),
    ...suspended.flatMap(({ about, text }) => (about.network === network.name ? [text] : [])),
  ];
  const told = warnings.filter((text) => text !== '');
  for (const text of told) parts.log.warn({ network: network.name }, text);
  return { id: network.id, warning: told.join('; ') };
};

const remove = async (parts: Networking, reference: string, force: boolean): Promise<void> => {
  const network = parts.model.getNetwork(reference);
  if (network.overlay) return removeInCluster(parts, network);
  if (network.configOnly || !usesPlugins(parts, network)) {
    carryOut(parts, decideRemoval(parts, network));
    return;
  }
  checkUnused(parts, network);
  if (!force) checkPluginsThere(parts, network);
  await parts.networkLocks.run(network.id, async () => {
    await parts.debts.quiet(network.id);
    carryOut(parts, decideRemoval(parts, parts.model.getNetwork(network.id)));
    await parts.debts.settle(network.id);
  });
};

export const createNetworkCommands = (
  parts: Networking,
  attaching: Pick<NetworkCommands, 'connect' | 'disconnect'>,
): NetworkCommands => ({
  create: (request) => create(parts, request),
  remove: (reference, force = false) => remove(parts, reference, force),
  list: () => [...parts.model.networks.values()],
  get: (reference) => parts.model.getNetwork(reference),
  find: (reference) => parts.model.findNetwork(reference),
  endpoints: (network) => parts.model.endpointsOfNetwork(network.id),
  peers: (network) => parts.model.peersOf(network.id),
  balancers: (network) => parts.model.balancersOf(network.id),
  addresses: (network) => addressCounts(parts, network),
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
