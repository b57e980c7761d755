/**
 * A root directory as a `docker load`-able archive. Deterministic: sorted names, one fixed time, owner root, so equal
 * roots give equal digests and equal image ids.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The configuration that a recipe gives its image; Docker's own field names. */
export interface RecipeConfig {
  readonly Cmd?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Env?: readonly string[];
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  readonly WorkingDir?: string;
  readonly StopSignal?: string;
  readonly Labels?: Readonly<Record<string, string>>;
}

/** The time of every file and image: a constant, since a build must not depend on when it ran. */
const CREATED = '2025-06-01T00:00:00Z';

/** GNU tar with everything that varies between machines pinned. */
const TAR = [
  '--sort=name',
  `--mtime=${CREATED}`,
  '--owner=0',
  '--group=0',
  '--numeric-owner',
  '--format=gnu',
];

const pack = (directory: string, file: string): void => {
  execFileSync('tar', [...TAR, '-cf', file, '-C', directory, '.'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
};

const sha256 = (data: Buffer | string): string => createHash('sha256').update(data).digest('hex');

const architecture = (): string => (process.arch === 'arm64' ? 'arm64' : 'amd64');

/** Writes `file`, an archive of one layer (`root`) under the given names; `work` is a scratch directory. */
export const writeDockerArchive = (request: {
  readonly root: string;
  readonly work: string;
  readonly file: string;
  readonly names: readonly string[];
  readonly config: RecipeConfig;
  readonly createdBy: string;
}): void => {
  const { work } = request;
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  pack(request.root, join(work, 'layer.tar'));
  const diffId = sha256(readFileSync(join(work, 'layer.tar')));
  const config = JSON.stringify({
    architecture: architecture(),
    os: 'linux',
    created: CREATED,
    config: request.config,
    rootfs: { type: 'layers', diff_ids: [`sha256:${diffId}`] },
    history: [{ created: CREATED, created_by: request.createdBy }],
  });
  const configName = `${sha256(config)}.json`;
  writeFileSync(join(work, configName), config);
  const manifest = [{ Config: configName, RepoTags: request.names, Layers: ['layer.tar'] }];
  writeFileSync(join(work, 'manifest.json'), JSON.stringify(manifest));
  const whole = `${work}.tar`;
  pack(work, whole);
  renameSync(whole, request.file);
  rmSync(work, { recursive: true, force: true });
};
