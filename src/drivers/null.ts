/** The null driver: a sandbox with loopback only. One network of it exists. */
import { forbidden } from '../errors.js';
import type { Driver } from './contract.js';

/** Called `null` outside, as Docker's. */
export const nullDriver: Driver = {
  name: 'null',
  scope: 'local',
  capabilities: { interfaces: false, hostEnd: false, mac: false, ports: false, addresses: false },
  gateways: () => ({ ipv4: false, ipv6: false }),
  validate(network, others) {
    if (others.some((other) => other.driver === 'null' && other.id !== network.id))
      throw forbidden('only one instance of "null" network is allowed');
  },
  network: () => [],
  endpoint: () => [],
};
