/**
 * The interface of the images: by skopeo and buildah over one containers-storage; layers are mounted and built by us.
 */
import type { Readable } from 'node:stream';
import type { Image, ImageConfig } from '../model/image.js';

/** One line of Docker's JSON progress stream: `{"status":…}`, `{"stream":…}`, `{"errorDetail":…}`, `{"aux":…}`. */
export type Progress = (line: Readonly<Record<string, unknown>>) => void;

export interface RegistryAuth {
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
  readonly serveraddress?: string;
}

/** What a registry has under a name: one image, or a list of images for several platforms. */
export interface RemoteImage {
  /** of the manifest */
  readonly mediaType: string;
  readonly digest: string;
  /** bytes */
  readonly size: number;
  /** In OCI's words. */
  readonly platforms: readonly {
    readonly architecture: string;
    readonly os: string;
    readonly 'os.version'?: string;
    readonly 'os.features'?: readonly string[];
    readonly variant?: string;
  }[];
}

/** One step of a build, as far as an image knows of it. */
export interface BuildStep {
  /** the step's name in the cache; joined, what the history says: `/bin/sh -c #(nop)  ENV a=b` */
  readonly words: readonly string[];
  /** the image's configuration after it */
  readonly config: Partial<ImageConfig>;
  /** empty: none */
  readonly author: string;
}

/** Images under construction, of one build. `get`, `find` and `mount` know them by their ids; no list does. */
export interface Drafts {
  /** undefined: nothing at all, `FROM scratch` */
  begin(image: Image | undefined): Image;
  /** What the step made before, where its layers are still here. `sources`: only what led to one of these images counts. */
  cached(parent: Image, step: BuildStep, sources: readonly Image[] | undefined): Image | undefined;
  /** A directory of the build's own. */
  scratch(): string;
  /** Its files in a root that can be written; `id` stands for it as a container's does. */
  open(image: Image): Promise<{ readonly id: string; readonly root: string }>;
  discard(id: string): Promise<void>;
  /** `written`: with what was written in that container's layer. It must have ended. */
  child(
    parent: Image,
    step: BuildStep,
    /** `stays`: the container is kept, so its layer is copied instead */
    written?: { readonly containerId: string; readonly stays: boolean },
  ): Promise<Image>;
  /** Puts it into the storage, under full names. */
  store(image: Image, names: readonly string[]): Promise<void>;
  /** Into the storage, without a name, where it has layers that are not there yet. */
  keep(image: Image): Promise<void>;
  close(): Promise<void>;
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
  /** Asks the registry, and takes nothing. Throws not-found, unauthorized, unavailable. */
  remote(reference: string, auth: RegistryAuth | undefined, signal: AbortSignal): Promise<RemoteImage>;
  push(
    reference: string,
    auth: RegistryAuth | undefined,
    progress: Progress,
    signal: AbortSignal,
  ): Promise<void>;
  /** `signal` here and below: the client is gone, what is done for it ends. */
  load(tar: Readable, progress: Progress, signal?: AbortSignal): Promise<void>;
  save(references: readonly string[]): Readable;
  /** `docker import`: a root file system as an image. Answers its id. */
  import(
    tar: Readable,
    reference: string,
    changes: readonly string[],
    message: string,
    signal?: AbortSignal,
  ): Promise<string>;
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
  /** For one build; to be closed. `signal`: the client left, and what is packed for it is not waited for. */
  drafts(signal: AbortSignal): Drafts;
  /** Full names (with a tag) of what the user wrote. Throws invalid. */
  fullName(reference: string): string;
  familiarName(fullName: string): string;
  /** Takes away what steps of builds made and images do not need; answers the bytes. */
  clearBuildCache(): number;
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
  /**
   * Mounts the image's layers with a writable layer of the container's own; answers the root's path. Idempotent. What is
   * asked of one root is done in the order of asking.
   */
  mount(containerId: string, imageId: string): Promise<string>;
  unmount(containerId: string): Promise<void>;
  /** Unmounts it, and removes the container's writable layer. */
  discard(containerId: string): Promise<void>;
  /** The containers whose roots are mounted now. */
  mounted(): readonly string[];
  /** Paths changed against the image: 0 modified, 1 added, 2 deleted. */
  changes(containerId: string): Promise<readonly { Path: string; Kind: 0 | 1 | 2 }[]>;
  /** bytes of the container's writable layer */
  writtenBytes(containerId: string): Promise<number>;
  /** Resolves when what was unmounted is so, and the layers discarded are gone from the disk. */
  close(): Promise<void>;
}
