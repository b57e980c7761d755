/**
 * An endpoint's allocation on a network that spans hosts: addresses that are free as far as this host knows are claimed in the
 * cluster's store, until none of them is somebody else's.
 */
import { forbidden, unavailable } from '../../errors.js';
import { bare } from '../../model/address.js';
import type { Endpoint } from '../../model/endpoint.js';
import type { RemoteEndpoint } from '../../model/peer.js';
import { clusterCalls, clusterOf } from '../cluster.js';
import type { Outside } from '../parts.js';
import type { Asking } from '../plugins/asking.js';
import type { View } from '../view.js';
import { allocateOwn } from './allocate.js';
import { type Allocation, type EndpointDesign, endpointOf } from './design.js';

/** Others may take addresses meanwhile, but not for ever. */
const MOST_TRIES = 64;

/** What other hosts have to know of it. */
export const toldOf = (endpoint: Endpoint): RemoteEndpoint => {
  const { id, containerId, containerName, mac, ipv4, ipv6, dnsNames } = endpoint;
  return {
    id,
    containerId,
    containerName,
    mac,
    dnsNames,
    ...(ipv4 === undefined ? {} : { ipv4 }),
    ...(ipv6 === undefined ? {} : { ipv6 }),
  };
};

const checkNotWished = ({ settings, network }: EndpointDesign, taken: readonly string[]): void => {
  const wished = taken.find((address) => address === settings.ipv4 || address === settings.ipv6);
  if (wished !== undefined)
    throw forbidden(
      `Address already in use: ${wished} is that of a container on another host of network ${network.name}`,
    );
};

export const askCluster = async (
  parts: Pick<View, 'model'> & Pick<Outside, 'cluster'>,
  design: EndpointDesign,
  { owe, claim }: Asking,
): Promise<Allocation> => {
  const { network } = design;
  const cluster = clusterOf(parts, `network ${network.name}`);
  const others: string[] = [];
  for (let tries = 0; tries < MOST_TRIES; tries += 1) {
    const allocation = allocateOwn(parts, design);
    const endpoint = toldOf(endpointOf(design, allocation));
    owe(clusterCalls.releaseEndpoint(network.id, endpoint));
    const taken = await cluster.claimEndpoint(network.id, endpoint);
    if (taken.length === 0) return allocation;
    checkNotWished(design, taken);
    others.push(...taken.map(bare));
    claim({ addresses: others.map((address) => ({ networkId: network.id, address })) });
  }
  throw unavailable(
    `other hosts took each of ${MOST_TRIES} addresses of network ${network.name} first: try again`,
  );
};
