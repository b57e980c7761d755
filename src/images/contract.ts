/** Images by skopeo and buildah over one containers-storage; layers are mounted by us. */
import type { Readable } from 'node:stream';
import type { Image } from '../model/image.js';

/** One line of Docker's JSON progress stream: `{"status":…}`, `{"stream":…}`, `{"errorDetail":…}`, `{"aux":…}`. */
export type Progress = (line: Readonly<Record<string, unknown>>) => void;

export interface RegistryAuth {
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
  readonly serveraddress?: string;
}

export interface BuildRequest {
  /** tar (optionally compressed) of the context */
  readonly context: Readable;
  readonly dockerfile: string;
  readonly tags: readonly string[];
  readonly buildArgs: Readonly<Record<string, string | null>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly target: string;
  readonly noCache: boolean;
  readonly pull: boolean;
  readonly quiet: boolean;
  /** `default`, `host`, `none` */
  readonly networkMode: string;
  readonly extraHosts: readonly string[];
}

export interface Images {
  /** Reads the store; call once before use. */
  open(): Promise<void>;
  list(): readonly Image[];
  /** By name (familiar or full), tag, digest, full or short id; throws not-found `No such image: X`. */
  get(reference: string): Image;
  find(reference: string): Image | undefined;
  /** `find` for many questions about the images as they are now: the store is looked at once. Not to be kept. */
  finder(): (reference: string) => Image | undefined;
  pull(
    reference: string,
    auth: RegistryAuth | undefined,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<void>;
  push(
    reference: string,
    auth: RegistryAuth | undefined,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<void>;
  load(tar: Readable, progress: Progress): Promise<void>;
  save(references: readonly string[]): Readable;
  /** `docker import`: a root file system as an image. Answers its id. */
  import(tar: Readable, reference: string, changes: readonly string[], message: string): Promise<string>;
  tag(reference: string, target: string): Promise<void>;
  /**
   * Untags, and deletes when nothing is left. Conflict where a container uses it (`usedBy` answers container ids;
   * `isRunning` absent: taken as running).
   */
  remove(
    reference: string,
    options: { force: boolean; noPrune: boolean },
    usedBy: (imageId: string) => readonly string[],
    isRunning?: (containerId: string) => boolean,
  ): Promise<readonly { Untagged?: string; Deleted?: string }[]>;
  prune(
    all: boolean,
    used: ReadonlySet<string>,
  ): Promise<{ deleted: readonly { Untagged?: string; Deleted?: string }[]; bytes: number }>;
  /** Answers the id of the image made. */
  build(request: BuildRequest, progress: Progress, signal: AbortSignal): Promise<string>;
  /** A new image from a container's upper layer. Answers its id. */
  commit(request: {
    containerId: string;
    image: Image;
    reference: string;
    comment: string;
    author: string;
    config: Partial<Image['config']>;
    changes: readonly string[];
  }): Promise<string>;
  /** Mounts the image's layers with a writable layer of the container's own; answers the root's path. Idempotent. */
  mount(containerId: string, imageId: string): string;
  unmount(containerId: string): void;
  /** Removes the container's writable layer. */
  discard(containerId: string): void;
  /** Paths changed against the image: 0 modified, 1 added, 2 deleted. */
  changes(containerId: string): readonly { Path: string; Kind: 0 | 1 | 2 }[];
  /** bytes of the container's writable layer */
  writtenBytes(containerId: string): number;
  /** Resolves when the layers discarded are gone from the disk. */
  close(): Promise<void>;
}

export { BuildError } from './build-output.js';
