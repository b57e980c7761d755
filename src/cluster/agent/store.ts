/**
 * What the engine asks of the cluster for containers of this host, as questions to the manager that the node has its session with.
 * For tasks nothing is asked: their addresses come with them.
 */

import { setTimeout as pause } from 'node:timers/promises';
import type { ClusterStore } from '../../engine/cluster.js';
import { unavailable } from '../../errors.js';
import type { Connection } from '../session/connect.js';

const AWAY =
  'no manager of the swarm can be reached: nothing can be changed on networks that span hosts; what runs goes on';

const AWAY_WARNING = `${AWAY} (TCP port 2377 of managers must be open to all nodes)`;

/** milliseconds: a session that broke, or that a daemon which has just started has not yet, is there again within */
const SESSION_MS = 3_000;
const LOOK_MS = 50;

export interface StoreSettings {
  readonly connection: () => Connection | undefined;
  /** Resolves when the network is known here, or after a while. */
  readonly arrived: (networkId: string) => Promise<void>;
  /** what is wrong on the way to other nodes */
  readonly warnings: () => readonly string[];
}

export const createSwarmStore = ({ connection, arrived, warnings }: StoreSettings): ClusterStore => {
  const soon = async (): Promise<Connection | undefined> => {
    const end = performance.now() + SESSION_MS;
    while (!connection() && performance.now() < end) await pause(LOOK_MS);
    return connection();
  };
  const manager = (found: Connection | undefined): Connection => {
    if (!found) throw unavailable(AWAY);
    return found;
  };
  const refuse = async (): Promise<never> => {
    throw unavailable('networks of a swarm are made and removed by its managers');
  };
  const detach = async (id: string, node: string): Promise<void> =>
    void (await manager(connection()).ask({ type: 'detach', id, node }, 'done'));
  return {
    wire: () => ({ mtu: 0, family: 4 }),
    warnings: () => (connection() ? warnings() : [AWAY_WARNING, ...warnings()]),
    createNetwork: refuse,
    removeNetwork: refuse,
    async claimEndpoint(networkId, endpoint) {
      const { taken } = await manager(await soon()).ask(
        { type: 'attach', networkId, endpoint, has: false },
        'attached',
      );
      return taken;
    },
    evictEndpoint: (_, node, { id }) => detach(id, node),
    async bring(reference) {
      // Without a manager it is as if there was none.
      const answer = await (await soon())?.ask({ type: 'network', reference }, 'network');
      if (answer && answer.id !== '') await arrived(answer.id);
    },
    async tell({ method, body: { EndpointID: id = '' } }) {
      if (method === 'ReleaseEndpoint') await detach(id, '');
    },
  };
};
