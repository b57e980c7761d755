/** An image's configuration (Docker's and OCI's JSON are alike here) read into the model. Pure. */
import { knownPorts } from '../builder/ports.js';
import type { Image, ImageConfig, ImageHistory } from '../model/image.js';
import { familiarText, parseReference } from './reference.js';

/** The configuration file as it is stored. Other tools' files may lack anything but `rootfs`. */
export interface StoredConfig {
  readonly architecture?: string;
  readonly os?: string;
  readonly variant?: string;
  readonly created?: string;
  readonly author?: string;
  readonly comment?: string;
  readonly config?: Partial<ImageConfig> | null;
  readonly rootfs?: { readonly type?: string; readonly diff_ids?: readonly string[] };
  readonly history?: readonly StoredHistory[];
}

export interface StoredHistory {
  readonly created?: string;
  readonly created_by?: string;
  readonly author?: string;
  readonly comment?: string;
  readonly empty_layer?: boolean;
}

const NEVER = '0001-01-01T00:00:00Z';

const imageConfigOf = (config: Partial<ImageConfig> | null | undefined): ImageConfig => ({
  Env: config?.Env ?? [],
  Cmd: config?.Cmd ?? null,
  Entrypoint: config?.Entrypoint ?? null,
  ExposedPorts: knownPorts(config?.ExposedPorts ?? {}),
  Volumes: config?.Volumes ?? {},
  WorkingDir: config?.WorkingDir ?? '',
  User: config?.User ?? '',
  Labels: config?.Labels ?? {},
  StopSignal: config?.StopSignal ?? '',
  ...(config?.Healthcheck === undefined ? {} : { Healthcheck: config.Healthcheck }),
  ...(config?.OnBuild?.length ? { OnBuild: config.OnBuild } : {}),
  ...(config?.Shell?.length ? { Shell: config.Shell } : {}),
});

/** Only entries that made a layer take a size, in order. */
const historyOf = (history: readonly StoredHistory[], sizes: readonly number[]): readonly ImageHistory[] => {
  let layer = 0;
  return history.map((entry) => ({
    createdAt: entry.created ?? NEVER,
    createdBy: entry.created_by ?? '',
    comment: entry.comment ?? '',
    size: entry.empty_layer ? 0 : (sizes[layer++] ?? 0),
    emptyLayer: entry.empty_layer ?? false,
  }));
};

const familiar = (name: string): string => familiarText(parseReference(name));

export const imageOf = (record: {
  readonly id: string;
  /** the configuration's text */
  readonly config: string;
  readonly names: readonly string[];
  readonly digests: readonly string[];
  readonly layerSizes: readonly number[];
}): Image => {
  // written by skopeo or buildah, or digest-verified by them; defaults below cover what may be missing
  const stored = JSON.parse(record.config) as StoredConfig;
  return {
    id: record.id,
    tags: record.names.map(familiar),
    digests: record.digests.map(familiar),
    createdAt: stored.created ?? NEVER,
    size: record.layerSizes.reduce((sum, size) => sum + size, 0),
    architecture: stored.architecture ?? '',
    os: stored.os ?? 'linux',
    author: stored.author ?? '',
    comment: stored.comment ?? '',
    config: imageConfigOf(stored.config),
    diffIds: stored.rootfs?.diff_ids ?? [],
    history: historyOf(stored.history ?? [], record.layerSizes),
  };
};
