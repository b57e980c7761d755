/** Kernel objects as the bridge driver would derive them, for tests of the kernel layer and of its fake. */
import {
  type AddressObject,
  type BridgeLink,
  type ElementObject,
  type KernelObject,
  objectKey,
  type RouteObject,
  type VethLink,
} from '../../src/plan/objects.js';

export const bridge = (name: string, more: Partial<BridgeLink> = {}): BridgeLink => ({
  kind: 'link',
  type: 'bridge',
  ns: 'host',
  name,
  mac: '02:42:00:00:00:01',
  mtu: 1500,
  up: true,
  owned: true,
  ...more,
});
export const veth = (
  name: string,
  master: string,
  peerNs: string,
  more: Partial<VethLink> = {},
): VethLink => ({
  kind: 'link',
  type: 'veth',
  ns: 'host',
  name,
  mtu: 1500,
  up: true,
  master,
  hairpin: false,
  isolated: false,
  peerNs,
  peerName: 'eth0',
  peerMac: '02:42:ac:12:00:02',
  ...more,
});
export const address = (ns: string, link: string, text: string): AddressObject => ({
  kind: 'address',
  ns,
  link,
  address: text,
});
export const route = (ns: string, link: string, destination: string, via?: string): RouteObject => ({
  kind: 'route',
  ns,
  family: destination.includes(':') ? 6 : 4,
  destination,
  link,
  ...(via === undefined ? {} : { via }),
});
export const element = (set: string, key: string, guard = false): ElementObject => ({
  kind: 'element',
  family: 'inet',
  set,
  key: [key],
  ...(guard ? { guard } : {}),
});

/** A sandbox with one endpoint on a bridge, dual stack. */
export const endpoint = (ns: string, n: number, master: string): readonly KernelObject[] => [
  veth(`veth${n.toString(16).padStart(11, '0')}`, master, ns, {
    peerMac: `02:42:ac:12:00:${n.toString(16).padStart(2, '0')}`,
  }),
  address(ns, 'eth0', `172.18.0.${n}/16`),
  address(ns, 'eth0', `fd00::${n.toString(16)}/64`),
  route(ns, 'eth0', '0.0.0.0/0', '172.18.0.1'),
  route(ns, 'eth0', '::/0', 'fd00::1'),
];
export const BRIDGE = 'br-0123456789ab';
export const network = (): readonly KernelObject[] => [
  bridge(BRIDGE),
  address('host', BRIDGE, '172.18.0.1/16'),
  address('host', BRIDGE, 'fd00::1/64'),
];

export const keys = (objects: readonly KernelObject[]): string[] => objects.map(objectKey).sort();
