/** Ports: exposed by an image, published on the host. */

export type Protocol = 'tcp' | 'udp' | 'sctp';

/** `80/tcp` */
export interface ExposedPort {
  readonly protocol: Protocol;
  /** 1–65535 */
  readonly port: number;
}

/**
 * Host ports `hostPort … hostPort+count-1` lead to container ports `containerPort … containerPort+count-1`.
 * Runs of single bindings are joined into one of these, so a range of any size is one value.
 */
export interface PortBinding {
  readonly protocol: Protocol;
  /** bare address; `0.0.0.0` and `::` mean every address of the family. Never empty in the model. */
  readonly hostIp: string;
  /**
   * 1–65535; already chosen where the user left it to the host. 0, of an endpoint only: none, the container's own address is
   * reached (gateway mode routed); `hostIp` is then the family's wildcard
   */
  readonly hostPort: number;
  readonly containerPort: number;
  /** ≥ 1 */
  readonly count: number;
}

/** Answers a host port of [from, to] (0, 0: the ephemeral range) that nobody holds on any of the addresses. Throws where there is none. */
export type FreePort = (
  protocol: Protocol,
  addresses: readonly string[],
  from: number,
  to: number,
  taken: (port: number) => boolean,
) => number;
