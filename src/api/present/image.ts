/** Images as `image ls`, `image inspect` and `image history` show them. Pure. */
import type { RemoteImage } from '../../images/contract.js';
import type { Image, ImageConfig } from '../../model/image.js';
import { milliseconds } from '../read/time.js';
import type { Answer } from '../schema/answer.js';
import { nullWhereEmpty } from './null.js';

const seconds = (time: string): number => Math.floor(milliseconds(time) / 1000);

/** `containers`: how many use it. */
export const presentImageSummary = (
  image: Image,
  containers: number,
  minor: number,
): Answer<'ImageSummary'> => {
  const unnamed = minor < 43 && image.tags.length === 0 && image.digests.length === 0;
  return {
    Id: image.id,
    ParentId: '',
    RepoTags: unnamed ? ['<none>:<none>'] : image.tags,
    RepoDigests: unnamed ? ['<none>@<none>'] : image.digests,
    Created: seconds(image.createdAt),
    Size: image.size,
    SharedSize: -1,
    VirtualSize: minor < 44 ? image.size : undefined,
    Labels: nullWhereEmpty(image.config.Labels),
    Containers: minor < 51 ? -1 : containers,
  };
};

/** minor number of the first API version served */
const OLDEST = 24;

export const presentImageInspect = (image: Image, minor: number): Answer<'ImageInspect'> => ({
  Id: image.id,
  RepoTags: image.tags,
  RepoDigests: image.digests,
  Parent: minor < 52 ? '' : undefined,
  DockerVersion: minor < 52 ? '' : undefined,
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
  VirtualSize: minor < 44 ? image.size : undefined,
  GraphDriver: { Name: 'overlay2', Data: null },
  RootFS: { Type: 'layers', Layers: image.diffIds },
  Metadata: { LastTagTime: '0001-01-01T00:00:00Z' },
});

/** Until 1.49 an image's configuration had all fields of a container's. */
const presentImageConfig = (config: ImageConfig, minor: number): Answer<'ImageConfig'> => ({
  ...(minor < 50
    ? ({
        Hostname: '',
        Domainname: '',
        AttachStdin: false,
        AttachStdout: false,
        AttachStderr: false,
        Tty: false,
        OpenStdin: false,
        StdinOnce: false,
        Image: '',
      } satisfies Partial<Answer<'ContainerConfig'>>)
    : {}),
  User: config.User,
  ExposedPorts: nullWhereEmpty(config.ExposedPorts) ?? undefined,
  Env: config.Env,
  Cmd: config.Cmd,
  Volumes: nullWhereEmpty(config.Volumes),
  WorkingDir: config.WorkingDir,
  Entrypoint: config.Entrypoint,
  OnBuild: config.OnBuild ?? null,
  Labels: nullWhereEmpty(config.Labels),
  StopSignal: config.StopSignal || undefined,
  Healthcheck: config.Healthcheck,
  Shell: config.Shell?.length ? config.Shell : undefined,
});

/** Newest first; only the newest has an id and names. */
export const presentHistory = (image: Image): readonly Answer<'ImageHistoryResponseItem'>[] =>
  [...image.history].reverse().map((entry, i) => ({
    Id: i === 0 ? image.id : '<missing>',
    Created: seconds(entry.createdAt),
    CreatedBy: entry.createdBy,
    Tags: i === 0 ? nullWhereEmpty(image.tags) : null,
    Size: entry.size,
    Comment: entry.comment,
  }));

/** moby's DistributionInspect. */
export const presentRemote = ({ mediaType, digest, size, platforms }: RemoteImage) => ({
  Descriptor: { mediaType, digest, size },
  Platforms: nullWhereEmpty(platforms),
});
