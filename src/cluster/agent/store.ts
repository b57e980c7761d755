/**
 * What the engine asks of the cluster for containers of this host, as questions to the manager that the node has its session with.
 * The addresses of tasks are theirs already.
 */
import type { ClusterStore } from '../../engine/cluster.js';
import { unavailable } from '../../errors.js';
import { bare } from '../../model/address.js';
import type { RemoteEndpoint } from '../../model/peer.js';
import type { Connection } from '../session/connect.js';
import type { Items } from './others.js';

const AWAY =
  'no manager of the swarm can be reached: nothing can be changed on networks that span hosts; what runs goes on';

export interface StoreSettings {
  readonly connection: () => Connection | undefined;
  readonly items: () => Items;
  /** Resolves when the network is known here, or after a while. */
  readonly arrived: (networkId: string) => Promise<void>;
}

/** A container that the cluster itself has given its addresses. */
export const isTask = (
  items: Items,
  networkId: string,
  { ipv4, ipv6 }: Pick<RemoteEndpoint, 'ipv4' | 'ipv6'>,
): boolean => {
  const own = [ipv4, ipv6].flatMap((address) => (address === undefined ? [] : [bare(address)]));
  for (const item of items.values()) {
    const on = item.kind === 'task' ? item.networks.find((each) => each.networkId === networkId) : undefined;
    if (on && own.length > 0 && own.every((address) => on.addresses.some((each) => bare(each) === address)))
      return true;
  }
  return false;
};

export const createSwarmStore = ({ connection, items, arrived }: StoreSettings): ClusterStore => {
  const manager = (): Connection => {
    const found = connection();
    if (!found) throw unavailable(AWAY);
    return found;
  };
  const refuse = async (): Promise<never> => {
    throw unavailable('networks of a swarm are made and removed by its managers');
  };
  const detach = async (id: string, node: string): Promise<void> =>
    void (await manager().ask({ type: 'detach', id, node }, 'done'));
  return {
    wire: () => ({ mtu: 0, family: 4 }),
    warnings: () => [],
    createNetwork: refuse,
    removeNetwork: refuse,
    async claimEndpoint(networkId, endpoint) {
      if (isTask(items(), networkId, endpoint)) return [];
      const { taken } = await manager().ask({ type: 'attach', networkId, endpoint }, 'attached');
      return taken;
    },
    evictEndpoint: (_, node, { id }) => detach(id, node),
    async bring(reference) {
      // Without a manager it is as if there was none.
      const answer = await connection()?.ask({ type: 'network', reference }, 'network');
      if (answer && answer.id !== '') await arrived(answer.id);
    },
    async tell({ method, body: { EndpointID: id = '' } }) {
      if (method === 'ReleaseEndpoint') await detach(id, '');
    },
  };
};
