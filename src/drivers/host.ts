/** The host driver: containers share the host's namespace, so there is nothing to make. One network of it exists. */
import { forbidden } from '../errors.js';
import type { Driver } from './contract.js';

export const host: Driver = {
  name: 'host',
  scope: 'local',
  capabilities: { interfaces: false, hostEnd: false, mac: false, ports: false, addresses: false },
  gateways: () => ({ ipv4: false, ipv6: false }),
  validate(network, others) {
    if (others.some((other) => other.driver === 'host' && other.id !== network.id))
      throw forbidden('only one instance of "host" network is allowed');
  },
  network: () => [],
  endpoint: () => [],
};
