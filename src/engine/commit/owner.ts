/** Who an object of the kernel's is there for, in words that people know. */
import type { Owner } from '../../door/schema.js';
import { shortId } from '../../model/ids.js';
import type { Slice } from '../../plan/objects.js';
import type { ReadModel } from './model.js';

export const ownerOf = (model: ReadModel, slice: Slice): Owner => {
  if (slice.kind === 'host') return { kind: 'host', id: '', name: 'all networks together' };
  const { kind, id } = slice;
  if (kind === 'network') return { kind, id, name: `network ${model.networks.get(id)?.name ?? shortId(id)}` };
  if (kind === 'sandbox') {
    const container = model.containers.get(model.sandboxes.get(id)?.containerId ?? '');
    return { kind, id, name: `container ${container?.name ?? shortId(id)}` };
  }
  if (kind === 'peer') {
    const peer = model.tables.peer.records.get(id);
    const network = model.networks.get(peer?.networkId ?? '');
    const host = model.tables.vtep.records.get(peer?.node ?? '')?.name ?? peer?.address ?? '?';
    return { kind, id, name: `host ${host} on network ${network?.name ?? '?'}` };
  }
  const endpoint = model.endpoints.get(id);
  const network = model.networks.get(endpoint?.networkId ?? '');
  const container = endpoint?.containerName ?? shortId(id);
  return { kind, id, name: `container ${container} on network ${network?.name ?? '?'}` };
};
