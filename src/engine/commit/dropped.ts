/** What ports dropped, told by the names that people know them by. */
import type { DroppedAtPort } from '../../kernel/contract.js';
import type { DroppedPackets } from '../contract.js';
import type { ReadModel } from './model.js';

/** Ports that are no longer anybody's are left out. */
export const droppedPackets = (
  model: ReadModel,
  dropped: readonly DroppedAtPort[],
): readonly DroppedPackets[] =>
  dropped.flatMap(({ port, reason, packets }) => {
    const endpoint = model.endpointOnLink(port);
    const network = endpoint && model.networks.get(endpoint.networkId);
    return endpoint && network
      ? [{ container: endpoint.containerName, network: network.name, reason, packets }]
      : [];
  });
