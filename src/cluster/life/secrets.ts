/**
 * What only managers know of their cluster: the authority's key, the secrets of the join tokens, the gossip's keys, the unlock key. One
 * record, sealed with the cluster's data key, which lies on the managers' disks alone: who has etcd's files has none of it.
 */
import * as z from 'zod';
import type { Blob } from '../../model/swarm/cluster.js';
import type { Authority } from '../ca/contract.js';
import { seal, unseal } from '../ca/seal.js';
import { newSecret, newUnlockKey } from '../ca/tokens.js';
import type { Mirror } from '../mirror/index.js';
import { SECRETS_KEY } from '../mirror/keys.js';

const text = z.string();
const authority = z.object({ certificate: text, key: text });
const schema = z.object({
  version: z.literal(1),
  authority,
  /** while it takes the other's place */
  next: authority.exactOptional(),
  tokens: z.object({ worker: text, manager: text }),
  /** base64, the one to send by in front */
  gossipKeys: z.array(text),
  /** base64; empty: managers are not locked */
  unlockKey: text,
});
export type ClusterSecrets = z.infer<typeof schema>;

export const freshSecrets = (authority: Authority, gossipKey: string, autoLock: boolean): ClusterSecrets => ({
  version: 1,
  authority: { ...authority },
  tokens: { worker: newSecret(), manager: newSecret() },
  gossipKeys: [gossipKey],
  unlockKey: autoLock ? newUnlockKey().toString('base64') : '',
});

export const sealSecrets = (dataKey: Buffer, clusterId: string, secrets: ClusterSecrets): string =>
  seal(dataKey, JSON.stringify(secrets), `${clusterId} ${SECRETS_KEY}`);

/** Throws where the record is not one of this cluster's, by this key. */
export const openSecrets = (dataKey: Buffer, clusterId: string, sealed: string): ClusterSecrets => {
  const plain = unseal(dataKey, sealed, `${clusterId} ${SECRETS_KEY}`);
  if (plain === undefined)
    throw new Error('the cluster’s secrets do not open with the key on this disk (data.key)');
  return schema.parse(JSON.parse(plain));
};

/** As the mirror has them, opened once each time they change. Throws where there are none yet, or they do not open. */
export const secretsReader = (
  mirror: Pick<Mirror, 'secrets'>,
  dataKey: Buffer,
  clusterId: string,
): (() => ClusterSecrets) => {
  let known: { readonly revision: number; readonly opened: ClusterSecrets } | undefined;
  return () => {
    if (!mirror.secrets) throw new Error('the cluster’s secrets are not there yet');
    const { revision, sealed } = mirror.secrets;
    if (known?.revision !== revision) known = { revision, opened: openSecrets(dataKey, clusterId, sealed) };
    return known.opened;
  };
};

const placeOf = (clusterId: string, id: string): string => `${clusterId} secret/${id}`;

/** What is kept of a secret of the users', base64. */
export const sealBlob = (
  dataKey: Buffer,
  clusterId: string,
  { id, data }: Pick<Blob, 'id' | 'data'>,
): string => seal(dataKey, data, placeOf(clusterId, id));

/** Undefined where it is not one of this cluster's, by this key. */
export const openBlob = (dataKey: Buffer, clusterId: string, { id, data }: Pick<Blob, 'id' | 'data'>) =>
  unseal(dataKey, data, placeOf(clusterId, id));
