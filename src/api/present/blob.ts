/** Secrets, without what they say, and configs. Pure. */
import type { Blob } from '../../model/swarm/cluster.js';
import type { Answer } from '../schema/answer.js';
import { iso } from './service.js';

const about = ({ id, version, createdAt, updatedAt }: Blob) => ({
  ID: id,
  Version: { Index: version },
  CreatedAt: iso(createdAt),
  UpdatedAt: iso(updatedAt),
});

export const presentSecret = (secret: Blob): Answer<'Secret'> => ({
  ...about(secret),
  Spec: { Name: secret.name, Labels: secret.labels },
});

export const presentConfig = (config: Blob): Answer<'Config'> => ({
  ...about(config),
  Spec: { Name: config.name, Labels: config.labels, Data: config.data },
});
