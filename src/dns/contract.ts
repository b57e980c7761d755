/** The embedded resolver: answers from a snapshot of names, forwards the rest. */
import type { SandboxDns } from '../model/endpoint.js';

/** What one sandbox can resolve. Implemented by the engine over its model; every call is a pure look-up. */
export interface Names {
  /** Settings of the sandbox; undefined: gone. */
  dns(sandboxId: string): SandboxDns | undefined;
  /**
   * Addresses behind a name (lower case, without trailing dot) as seen by this sandbox: name, alias, `name.network`, link, short
   * id, of a service, `tasks.service`. `ttl`: seconds that they may be kept; absent: dockerd's 600.
   */
  resolve(
    sandboxId: string,
    name: string,
  ):
    | { readonly ipv4: readonly string[]; readonly ipv6: readonly string[]; readonly ttl?: number }
    | undefined;
  /** `name.network` of an address on one of the sandbox's networks. */
  reverse(sandboxId: string, address: string): string | undefined;
  /**
   * Who offers a service (`_port._protocol.name`, lower case): target names with their port and address. Only services with
   * named ports have any; absent: nothing does.
   */
  service?(
    sandboxId: string,
    name: string,
  ): readonly { readonly target: string; readonly port: number; readonly address: string }[] | undefined;
  /** false: every network of the sandbox is internal, nothing may be forwarded */
  forwards(sandboxId: string): boolean;
}
