/** Images as `image ls`, `image inspect` and `image history` show them. Pure. */
import type { Image, ImageConfig } from '../../model/image.js';
import { milliseconds } from '../read/time.js';

const seconds = (time: string): number => Math.floor(milliseconds(time) / 1000);
const nullWhereEmpty = <T extends object>(value: T): T | null =>
  Object.keys(value).length === 0 ? null : value;

/** `containers`: how many use it. */
export function presentImageSummary(
  image: Image,
  containers: number,
  minor: number,
): Record<string, unknown> {
  const unnamed = minor < 43 && image.tags.length === 0 && image.digests.length === 0;
  return {
    Id: image.id,
    ParentId: '',
    RepoTags: unnamed ? ['<none>:<none>'] : image.tags,
    RepoDigests: unnamed ? ['<none>@<none>'] : image.digests,
    Created: seconds(image.createdAt),
    Size: image.size,
    SharedSize: -1,
    ...(minor < 44 ? { VirtualSize: image.size } : {}),
    Labels: nullWhereEmpty(image.config.Labels),
    Containers: minor < 51 ? -1 : containers,
  };
}

/** minor number of the first API version served */
const OLDEST = 24;

export function presentImageInspect(image: Image, minor: number): Record<string, unknown> {
  return {
    Id: image.id,
    RepoTags: image.tags,
    RepoDigests: image.digests,
    ...(minor < 52 ? { Parent: '', DockerVersion: '' } : {}),
    Comment: image.comment,
    Created: image.createdAt,
    Container: '',
    // Gone from Docker since API 1.45, but docker-compose 1.29 reads it at every version and fails without.
    ContainerConfig: presentImageConfig(image.config, OLDEST),
    Author: image.author,
    Config: presentImageConfig(image.config, minor),
    Architecture: image.architecture,
    Os: image.os,
    Size: image.size,
    ...(minor < 44 ? { VirtualSize: image.size } : {}),
    GraphDriver: { Name: 'overlay2', Data: null },
    RootFS: { Type: 'layers', Layers: image.diffIds },
    Metadata: { LastTagTime: '0001-01-01T00:00:00Z' },
  };
}

/** Until 1.49 an image's configuration had all fields of a container's. */
function presentImageConfig(config: ImageConfig, minor: number): Record<string, unknown> {
  return {
    ...(minor < 50
      ? {
          Hostname: '',
          Domainname: '',
          AttachStdin: false,
          AttachStdout: false,
          AttachStderr: false,
          Tty: false,
          OpenStdin: false,
          StdinOnce: false,
          Image: '',
        }
      : {}),
    User: config.User,
    ...(Object.keys(config.ExposedPorts).length === 0 ? {} : { ExposedPorts: config.ExposedPorts }),
    Env: config.Env,
    Cmd: config.Cmd,
    Volumes: nullWhereEmpty(config.Volumes),
    WorkingDir: config.WorkingDir,
    Entrypoint: config.Entrypoint,
    OnBuild: config.OnBuild ?? null,
    Labels: nullWhereEmpty(config.Labels),
    ...(config.StopSignal === '' ? {} : { StopSignal: config.StopSignal }),
    ...(config.Healthcheck === undefined ? {} : { Healthcheck: config.Healthcheck }),
    ...(config.Shell?.length ? { Shell: config.Shell } : {}),
  };
}

/** Newest first; only the newest has an id and names. */
export const presentHistory = (image: Image): readonly Record<string, unknown>[] =>
  [...image.history].reverse().map((entry, i) => ({
    Id: i === 0 ? image.id : '<missing>',
    Created: seconds(entry.createdAt),
    CreatedBy: entry.createdBy,
    Tags: i === 0 ? nullWhereEmpty(image.tags) : null,
    Size: entry.size,
    Comment: entry.comment,
  }));
