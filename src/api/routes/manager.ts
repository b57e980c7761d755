/** A client reads a record of the cluster's, changes it and writes it back, each of it maybe by another manager. */
import type { Manager } from '../../cluster/contract.js';
import type { Exchange } from '../http/exchange.js';

/** This node as a manager, when it shows all that was written before. Throws unavailable where it is none. */
export const currentManager = async ({ swarm }: Exchange): Promise<Manager> => {
  const manager = swarm.manager();
  await manager.current();
  return manager;
};
