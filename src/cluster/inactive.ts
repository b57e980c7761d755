/** The part in a swarm of a node that is in none; what such a node refuses, in moby's words. */
import { unavailable } from '../errors.js';
import type { Swarm, SwarmStatus } from './contract.js';
import { WORDS } from './words.js';

export const INACTIVE: SwarmStatus = {
  state: 'inactive',
  nodeId: '',
  address: '',
  control: false,
  error: '',
  managers: [],
};

/** For an API without a cluster behind it, as in tests. */
export const NO_SWARM: Swarm = {
  status: () => INACTIVE,
  init: async () => {
    throw unavailable('there is no swarm mode here');
  },
  join: async () => {
    throw unavailable('there is no swarm mode here');
  },
  leave: async () => {
    throw unavailable(WORDS.notInSwarm);
  },
  unlock: async () => {
    throw unavailable(WORDS.noManager);
  },
  manager: () => {
    throw unavailable(WORDS.noManager);
  },
  close: async () => {},
};
