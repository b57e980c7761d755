/** What a node with a session here asks for its own containers on attachable networks; it changes nothing that is not its own. */
import { bare } from '../../model/address.js';
import { attach, detach } from '../control/commands/attach.js';
import type { Compare } from '../etcd/contract.js';
import { keyOf } from '../mirror/keys.js';
import { rpcError } from '../rpc.js';
import type { Asked } from '../session/protocol.js';
import { type CommitSettings, createCommit } from './commit.js';
import type { Epochs } from './epochs.js';

export interface AttachmentsSettings extends CommitSettings {
  /** From now on the node is told of the network. */
  readonly interest: (nodeId: string, networkId: string) => void;
  readonly epochs: Pick<Epochs, 'text'>;
  /** by `now`: before, only containers that have addresses already are heard */
  readonly from: number;
}

type Asking<Type> = Extract<Asked, { readonly type: Type }>;
/** Answers with a message but for its number. */
export type Attachments = (nodeId: string, message: Asked) => Promise<object>;

export const createAttachments = (settings: AttachmentsSettings): Attachments => {
  const { state, prefix } = settings.mirror;
  const commit = createCommit(settings);

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

  const take = async (nodeId: string, { networkId, endpoint, has }: Asking<'attach'>): Promise<object> => {
    const wait = settings.from - settings.now();
    if (!has && wait > 0)
      throw rpcError(
        'Unavailable',
        `the swarm has just begun anew and hears which addresses are in use: try again in ${Math.ceil(wait / 1000)} s`,
      );
    const { taken } = await commit((view) => {
      const there: Compare = { key: prefix + keyOf('network', networkId), is: '!=', createRevision: 0 };
      return { ...attach(view, { nodeId, networkId, endpoint }), needs: [there, standing(nodeId)] };
    });
    return { type: 'attached', taken };
  };

  /** Of another node only where that has no session: it is gone for good, as whoever asks says. */
  const give = async (asking: string, { id, node }: Asking<'detach'>): Promise<object> => {
    const nodeId = node === '' ? asking : node;
    const own = nodeId === asking;
    await commit((view) => {
      const known = state.get('attach', id);
      if (known?.nodeId !== nodeId) return { unit: [] };
      if (!own && state.get('session', nodeId))
        throw rpcError(
          'AlreadyExists',
          `container ${known.containerName} is on another host, whose daemon is there: disconnect it on that host`,
        );
      const gone: Compare = { key: prefix + keyOf('session', nodeId), createRevision: 0 };
      return { unit: detach(view, known), needs: [standing(asking), ...(own ? [] : [gone])] };
    });
    return { type: 'done' };
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
