/** Who an object of the kernel's is there for, in words that people know. */
import type { Owner } from '../../door/schema.js';
import { shortId } from '../../model/ids.js';
import type { Slice } from '../../plan/objects.js';
import type { ReadModel } from './model.js';

type Named = Exclude<Slice['kind'], 'host'>;

const onNetwork = ({ networks }: ReadModel, who: string, networkId: string | undefined): string =>
  `${who} on network ${networks.get(networkId ?? '')?.name ?? '?'}`;

const NAMES: Readonly<Record<Named, (model: ReadModel, id: string) => string>> = {
  network: ({ networks }, id) => `network ${networks.get(id)?.name ?? shortId(id)}`,
  sandbox({ sandboxes, containers }, id) {
    const container = containers.get(sandboxes.get(id)?.containerId ?? '');
    return `container ${container?.name ?? shortId(id)}`;
  },
  peer(model, id) {
    const peer = model.tables.peer.records.get(id);
    const host = model.tables.vtep.records.get(peer?.node ?? '')?.name ?? peer?.address ?? '?';
    return onNetwork(model, `host ${host}`, peer?.networkId);
  },
  vtep: ({ tables }, id) => `host ${tables.vtep.records.get(id)?.name ?? id}`,
  balancer(model, id) {
    const balancer = model.tables.balancer.records.get(id);
    return onNetwork(model, `ports of service ${balancer?.serviceId ?? '?'}`, balancer?.networkId);
  },
  endpoint(model, id) {
    const endpoint = model.endpoints.get(id);
    return onNetwork(model, `container ${endpoint?.containerName ?? shortId(id)}`, endpoint?.networkId);
  },
};

export const ownerOf = (model: ReadModel, slice: Slice): Owner =>
  slice.kind === 'host'
    ? { kind: 'host', id: '', name: 'all networks together' }
    : { kind: slice.kind, id: slice.id, name: NAMES[slice.kind](model, slice.id) };
