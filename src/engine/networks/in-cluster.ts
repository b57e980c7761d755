/** Networks that span the hosts of a cluster: the cluster's store has them first, this host's records then. */
import type { OverlayWish, Wire } from '../../drivers/contract.js';
import { conflict, forbidden, internal, notImplemented, unavailable } from '../../errors.js';
import { isOwnIpam } from '../../ipam/own.js';
import type { Network } from '../../model/network.js';
import { carryOut } from '../carry-out.js';
import { clusterCalls, clusterOf, NO_CHANGE } from '../cluster.js';
import type { NetworkCreateRequest } from '../contract.js';
import type { Outside, Writing } from '../parts.js';
import { asking } from '../plugins/asking.js';
import type { View } from '../view.js';
import { checkUnused, decideCreation, decideRemoval, hasEndpoints } from './decide.js';
import { design, type Naming } from './design.js';
import { decideFollowing } from './follow.js';

type Networking = View & Writing & Pick<Outside, 'cluster'>;

const MOST_TRIES = 16;

/** The driver's wish, where networks of the driver span hosts. */
const wishOf = (
  { drivers }: Pick<View, 'drivers'>,
  request: NetworkCreateRequest,
  wire: Wire,
): OverlayWish => {
  const wish = drivers.get(request.driver)?.wish?.(request, wire);
  if (!wish) throw internal(`driver ${request.driver} has no networks that span hosts`);
  return wish;
};

export const spansHosts = (
  { drivers }: Pick<View, 'drivers'>,
  { driver, configOnly }: Pick<NetworkCreateRequest, 'driver' | 'configOnly'>,
): boolean => !configOnly && drivers.get(driver)?.wish !== undefined;

/** As moby refuses it. */
const checkRequest = ({ driver, scope, ipam }: NetworkCreateRequest): void => {
  if (scope === 'local') throw forbidden(`cannot downgrade network scope for ${driver} networks`);
  if (!isOwnIpam(ipam.driver))
    throw notImplemented(
      `${driver} networks have their addresses from the cluster's store, not from IPAM driver "${ipam.driver}"`,
    );
};

/** A subnet of the user's is had or not; one that was chosen gives way to another host's, which was quicker. */
export const createInCluster = (
  parts: Networking,
  named: Naming,
): Promise<{ readonly network: Network; readonly warning: string }> => {
  const { id, request } = named;
  const { name } = request;
  const cluster = clusterOf(parts, `a network of driver ${request.driver}`);
  checkRequest(request);
  const wish = wishOf(parts, request, cluster.wire());
  return asking(parts, { id, networkId: id, of: 'network' }, async ({ owe, claim }) => {
    claim({ name });
    const others: string[] = [];
    for (let tries = 0; tries < MOST_TRIES; tries += 1) {
      const network = design(parts, named, { scope: 'global' });
      if (tries === 0) owe(clusterCalls.removeNetwork(id, name));
      claim({ name, subnets: [...others, ...network.pools.map(({ subnet }) => subnet)] });
      const answer = await cluster.createNetwork(network, wish);
      if (!('overlaps' in answer)) {
        const agreed: Network = { ...network, overlay: answer };
        carryOut(parts, decideCreation(parts, agreed));
        return { network: agreed, warning: wish.warning };
      }
      if (request.ipam.config.some(({ subnet }) => subnet !== undefined))
        throw forbidden('invalid pool request: Pool overlaps with other one on this address space');
      others.push(...answer.overlaps);
      claim({ name, subnets: others });
    }
    throw unavailable(
      `other hosts took each of ${MOST_TRIES} subnets first: try again, or name one by --subnet`,
    );
  });
};

/** Where this host is in no cluster any more, what is known of its networks is a memory, and may be forgotten. */
const forget = (parts: Networking, network: Network): void => {
  const users = parts.model.endpointsOfNetwork(network.id);
  if (users.length > 0) throw hasEndpoints(network, users);
  const networks = new Map([[network.id, null]]);
  carryOut(parts, decideFollowing(parts, { ...NO_CHANGE, networks }));
};

export const removeInCluster = async (parts: Networking, network: Network): Promise<void> => {
  if (!parts.cluster) {
    forget(parts, network);
    return;
  }
  checkUnused(parts, network);
  const users = await parts.cluster.removeNetwork(network.id, network.name);
  if (users.length > 0) throw hasEndpoints(network, users);
  // It may have gone meanwhile, as from every other host.
  const now = parts.model.networks.get(network.id);
  if (now) carryOut(parts, decideRemoval(parts, now));
};

/** Networks of the cluster are known on a host when a container of it needs them. */
export const bringNetworks = async (
  { model, cluster }: Pick<View, 'model'> & Pick<Outside, 'cluster'>,
  references: readonly string[],
): Promise<void> => {
  for (const reference of references) if (!model.findNetwork(reference)) await cluster?.bring(reference);
};

/**
 * A container of another host's: `disconnect --force` ends what is left of it where that host is gone for good, as nobody else
 * would. Answers whether there is one of that name or id.
 */
export const evictRemote = async (
  parts: Pick<View, 'model'> & Pick<Outside, 'cluster'>,
  network: Network,
  reference: string,
  force: boolean,
): Promise<boolean> => {
  for (const { node, endpoints } of parts.model.peersOf(network.id)) {
    const found = endpoints.find((e) => e.containerName === reference || e.containerId === reference);
    if (!found) continue;
    if (!force)
      throw conflict(
        `container ${reference} is on another host: disconnect it there, or, where that host is gone for good, use --force`,
      );
    await clusterOf(parts, `network ${network.name}`).evictEndpoint(network.id, node, found);
    return true;
  }
  return false;
};
