/** Secrets and configs, as a manager is asked for them. What a secret says is sealed before it leaves this process. */
import type { Blob } from '../../model/swarm/cluster.js';
import type { Manager } from '../contract.js';
import { type BlobKind, createBlob, removeBlob, updateBlob } from '../control/commands/blobs.js';
import type { Mirror } from '../mirror/index.js';
import { type CommitSettings, createCommit } from './commit.js';
import { find } from './find.js';
import { openBlob, sealBlob } from './secrets.js';

export interface BlobSettings extends CommitSettings {
  readonly mirror: Pick<Mirror, 'state' | 'prefix' | 'revision'>;
  readonly dataKey: Buffer;
}

export const createBlobs = (
  settings: BlobSettings,
): Pick<Manager, 'blobs' | 'blob' | 'createBlob' | 'updateBlob' | 'removeBlob'> => {
  const { mirror, dataKey } = settings;
  const { state, prefix } = mirror;
  const commit = createCommit(settings);
  const clusterId = (): string => state.get('cluster', '')?.id ?? '';
  const blob = (kind: BlobKind, reference: string): Blob =>
    find({ kind, all: state.all(kind), nameOf: ({ name }) => name }, reference);

  const kept =
    (kind: BlobKind) =>
    (id: string, bytes: Buffer): string => {
      const data = bytes.toString('base64');
      return kind === 'config' ? data : sealBlob(dataKey, clusterId(), { id, data });
    };

  const same =
    (kind: BlobKind, bytes: Buffer) =>
    (record: Blob): boolean => {
      const data = kind === 'config' ? record.data : openBlob(dataKey, clusterId(), record);
      return bytes.length === 0 || bytes.toString('base64') === data;
    };

  return {
    blobs: (kind) => [...state.all(kind).values()],
    blob,
    createBlob: async (kind, wish) => (await commit((view) => createBlob(view, kind, wish, kept(kind)))).id,
    async updateBlob(kind, reference, version, { data, ...rest }) {
      const { id } = blob(kind, reference);
      await commit((view) => ({ unit: updateBlob(view, kind, { id, version, ...rest }, same(kind, data)) }));
    },
    async removeBlob(kind, reference) {
      const { id } = blob(kind, reference);
      await commit((view) => ({
        unit: removeBlob(view, kind, id),
        // No service may come to use it meanwhile.
        needs: [{ prefix: `${prefix}service/`, is: '<', modRevision: mirror.revision + 1 }],
      }));
    },
  };
};
