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

const templatingOf = ({ templating }: Blob) =>
  templating ? { Templating: { Name: templating.name, Options: templating.options } } : {};

export const presentSecret = (secret: Blob): Answer<'Secret'> => ({
  ...about(secret),
  Spec: { Name: secret.name, Labels: secret.labels, ...templatingOf(secret) },
});

export const presentConfig = (config: Blob): Answer<'Config'> => ({
  ...about(config),
  Spec: { Name: config.name, Labels: config.labels, Data: config.data, ...templatingOf(config) },
});
