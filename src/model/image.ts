/** Images as the rest of Viaduct sees them. */
export interface Image {
  /** `sha256:` and 64 digits: the digest of the configuration */
  readonly id: string;
  /** `busybox:latest`, familiar form */
  readonly tags: readonly string[];
  /** `busybox@sha256:…` */
  readonly digests: readonly string[];
  readonly createdAt: string;
  /** bytes, all layers */
  readonly size: number;
  readonly architecture: string;
  readonly os: string;
  readonly author: string;
  readonly comment: string;
  readonly config: ImageConfig;
  /** `sha256:…` of each layer's tar, base first */
  readonly diffIds: readonly string[];
  readonly history: readonly ImageHistory[];
}

export interface ImageConfig {
  readonly Env: readonly string[];
  readonly Cmd: readonly string[] | null;
  readonly Entrypoint: readonly string[] | null;
  readonly ExposedPorts: Readonly<Record<string, object>>;
  readonly Volumes: Readonly<Record<string, object>>;
  readonly WorkingDir: string;
  readonly User: string;
  readonly Labels: Readonly<Record<string, string>>;
  readonly StopSignal: string;
  readonly Healthcheck?: unknown;
  /** what an image built on this one does first */
  readonly OnBuild?: readonly string[] | null;
  /** of the shell form; absent: `/bin/sh -c` */
  readonly Shell?: readonly string[] | null;
}

export interface ImageHistory {
  readonly createdAt: string;
  readonly createdBy: string;
  readonly comment: string;
  readonly size: number;
  readonly emptyLayer: boolean;
}
