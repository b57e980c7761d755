/** What a node with a session here asks for its own containers on attachable networks; it changes nothing that is not its own. */
import { bare } from '../../model/address.js';
import { attach, detach } from '../control/commands/attach.js';
import type { CommandView } from '../control/commands/view.js';
import { transaction } from '../control/transactions.js';
import type { Compare } from '../etcd/contract.js';
import { newId } from '../ids.js';
import type { Mirror } from '../mirror/index.js';
import { keyOf } from '../mirror/keys.js';
import { outOfSequence, rpcError } from '../rpc.js';
import type { Asked } from '../session/protocol.js';
import type { Epochs } from './epochs.js';
import type { Store } from './store.js';

/** how often somebody else may be quicker */
const CONFLICTS = 8;

export interface AttachmentsSettings {
  readonly mirror: Pick<Mirror, 'state' | 'prefix'>;
  readonly store: Store;
  /** From now on the node is told of the network. */
  readonly interest: (nodeId: string, networkId: string) => void;
  readonly epochs: Pick<Epochs, 'text'>;
  readonly now: () => number;
}

type Asking<Type> = Extract<Asked, { readonly type: Type }>;
/** Answers with a message but for its number. */
export type Attachments = (nodeId: string, message: Asked) => Promise<object>;

export const createAttachments = (settings: AttachmentsSettings): Attachments => {
  const { mirror, store, now } = settings;
  const { state, prefix } = mirror;
  const view = (): CommandView => ({ state, now: now(), newId });

  const standing = (nodeId: string): Compare => {
    const value = settings.epochs.text(nodeId);
    if (value === undefined) throw rpcError('Unavailable', 'this node has no session with this manager');
    return { key: prefix + keyOf('session', nodeId), value };
  };

  /** By its id, or its name. */
  const find = (nodeId: string, { reference }: Asking<'network'>): object => {
    const found =
      state.get('network', reference) ??
      [...state.all('network').values()].find(({ network }) => network.name === reference);
    if (!found) return { type: 'network', id: '' };
    if (found.ingress || !found.network.attachable)
      throw rpcError('PermissionDenied', `network ${found.network.name} not manually attachable`);
    settings.interest(nodeId, found.id);
    return { type: 'network', id: found.id };
  };

  const take = async (nodeId: string, { networkId, endpoint }: Asking<'attach'>): Promise<object> => {
    for (let tries = 0; tries < CONFLICTS; tries += 1) {
      const { taken, unit } = attach(view(), { nodeId, networkId, endpoint });
      if (taken.length > 0) return { type: 'attached', taken };
      const { compare, success } = transaction(unit, prefix);
      const there: Compare = { key: prefix + keyOf('network', networkId), is: '!=', createRevision: 0 };
      if (await store.commit({ compare: [...compare, there, standing(nodeId)], success }))
        return { type: 'attached', taken };
    }
    throw outOfSequence();
  };

  /** Of another node only where that has no session: it is gone for good, as whoever asks says. */
  const give = async (asking: string, { id, node }: Asking<'detach'>): Promise<object> => {
    const nodeId = node === '' ? asking : node;
    const own = nodeId === asking;
    for (let tries = 0; tries < CONFLICTS; tries += 1) {
      const known = state.get('attach', id);
      if (known?.nodeId !== nodeId) return { type: 'done' };
      if (!own && state.get('session', nodeId))
        throw rpcError(
          'AlreadyExists',
          `container ${known.containerName} is on another host, whose daemon is there: disconnect it on that host`,
        );
      const { compare, success } = transaction(detach(view(), known), prefix);
      const gone: Compare = { key: prefix + keyOf('session', nodeId), createRevision: 0 };
      if (await store.commit({ compare: [...compare, standing(asking), ...(own ? [] : [gone])], success }))
        return { type: 'done' };
    }
    throw outOfSequence();
  };

  const known = (nodeId: string): object => ({
    type: 'attachments',
    known: [...state.onNetworks.attachmentsOn(nodeId).values()].map(
      ({ id, networkId, addresses, containerName, dnsNames }) => ({
        ...{ id, networkId, addresses: addresses.map(bare), containerName, dnsNames },
      }),
    ),
  });

  return async (nodeId, message) => {
    switch (message.type) {
      case 'network':
        return find(nodeId, message);
      case 'attach':
        return take(nodeId, message);
      case 'detach':
        return give(nodeId, message);
      case 'attachments':
        return known(nodeId);
    }
  };
};
