/** The drivers of which one network exists and that make no interface: `host` (the host's own namespace) and `null` (loopback alone). */
import { forbidden } from '../errors.js';
import type { Driver } from './contract.js';

const single = (name: string): Driver => ({
  name,
  scope: 'local',
  capabilities: { interfaces: false, hostEnd: false, mac: false, ports: false, addresses: false },
  gateways: () => ({ ipv4: false, ipv6: false }),
  validate(network, others) {
    if (others.some((other) => other.driver === name && other.id !== network.id))
      throw forbidden(`only one instance of "${name}" network is allowed`);
  },
  network: () => [],
  endpoint: () => [],
});

export const host = single('host');
/** Called `null` outside, as Docker's. */
export const nullDriver = single('null');
