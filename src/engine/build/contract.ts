/** `docker build`: what a request asks for, and the command. */
import type { Readable } from 'node:stream';
import type { Line } from '../../builder/output.js';
import { ViaductError } from '../../errors.js';
import type { RegistryAuth } from '../../images/contract.js';
import type { HostConfig } from '../../model/container.js';

export interface BuildRequest {
  /** tar (optionally compressed) of the context */
  readonly context: Readable;
  readonly dockerfile: string;
  readonly tags: readonly string[];
  readonly buildArgs: Readonly<Record<string, string | null>>;
  readonly labels: Readonly<Record<string, string>>;
  /** a stage's name or number; empty: the last */
  readonly target: string;
  readonly noCache: boolean;
  /** images whose own steps alone count as cache; undefined: whatever was built here */
  readonly cacheFrom: readonly string[] | undefined;
  readonly pull: boolean;
  /** `linux/arm64`; empty: this machine's */
  readonly platform: string;
  /** containers of steps stay */
  readonly keepContainers: boolean;
  /** network, limits and names for the containers of RUN */
  readonly hostConfig: HostConfig;
  /** credentials by registry, as the client's configuration names it */
  readonly auths: Readonly<Record<string, RegistryAuth>>;
}

/** Told one line after the other; a promise asks to wait with the next. */
export type Tell = (line: Line) => void | Promise<void>;

export interface BuildCommands {
  /**
   * Answers the id of the image. Throws invalid, in the classic builder's words (BuildError where a RUN failed); nothing of
   * a step is left then but what the cache knows of those before it. `signal`: the client left.
   */
  build(request: BuildRequest, tell: Tell, signal: AbortSignal): Promise<string>;
}

/** A RUN that failed: the exit code goes into the stream's `errorDetail`, and becomes the client's exit status. */
export class BuildError extends ViaductError {
  override readonly name = 'BuildError';
  constructor(
    message: string,
    readonly exitCode: number,
    options?: { cause?: unknown },
  ) {
    super('invalid', message, options);
  }
}
