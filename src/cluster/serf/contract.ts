/**
 * Serf, which says who is alive and never what is true: an agent on each node (TCP and UDP 7946, encrypted), and a client to
 * its RPC. What comes from peers (names, tags, addresses) is checked before anybody sees it; who sends what is not in form is
 * left out.
 */

/** `failed`: it does not answer; `left`: it said goodbye; `leaving`: it is saying so */
export type MemberState = 'alive' | 'leaving' | 'left' | 'failed';

export interface SerfMember {
  /** Serf's name of it: the node's id */
  readonly name: string;
  /** without brackets */
  readonly address: string;
  readonly port: number;
  readonly state: MemberState;
  readonly tags: Readonly<Record<string, string>>;
}

/**
 * What has changed of members; `reap`: forgotten, after it was failed or left for long; `all`: nothing, these are all there are.
 */
export interface SerfEvent {
  readonly type: 'all' | 'join' | 'leave' | 'failed' | 'update' | 'reap';
  readonly members: readonly SerfMember[];
}

/** 32 bytes in base64; all members have the same keys, and send by the first one */
export type SerfKey = string;

export interface SerfSettings {
  /** the node's id */
  readonly name: string;
  /** short texts that others see with the member; 512 bytes in all */
  readonly tags: Readonly<Record<string, string>>;
  /** where it listens; host without brackets */
  readonly bind: { readonly host: string; readonly port: number };
  /** where others reach it */
  readonly advertise: { readonly host: string; readonly port: number };
  /** others to meet, `host:port` or `[host]:port`; asked again each second or so until one answers */
  readonly join: readonly string[];
  /** the one to send by, and others that are understood */
  readonly keys: readonly [SerfKey, ...SerfKey[]];
  /** absolute: configuration, keyring, snapshot; made with mode 0700 */
  readonly directory: string;
  /** bounded: the former half is `FILE.1` */
  readonly logFile: string;
}

/** An agent that runs on this machine, whether this daemon started it or a former one. */
export interface SerfProcess {
  readonly pid: number;
  /** Its RPC: a port of the loopback, and the word without which it answers nothing. */
  readonly rpc: { readonly port: number; readonly secret: string };
  /** Resolves when it has ended, by whomever; within a second where a former daemon started it. */
  readonly ended: Promise<void>;
  /** Ends it without a goodbye: others see it fail. `leave` before is the polite way. */
  stop(): Promise<void>;
}

/** One connection to the agent. Everything throws unavailable when it broke or no answer came in time, internal when refused. */
export interface Serf {
  members(): Promise<readonly SerfMember[]>;
  /**
   * `all` first, then what changes; what changed meanwhile may be told again. Endless: is over only by its signal, and throws
   * unavailable when the connection ends.
   */
  events(signal: AbortSignal): AsyncIterable<SerfEvent>;
  /** Adds or changes tags of this member, and removes others. */
  setTags(tags: Readonly<Record<string, string>>, remove?: readonly string[]): Promise<void>;
  /** Resolves to how many of the addresses answered. */
  join(addresses: readonly string[]): Promise<number>;
  /** Says goodbye to the others and ends the agent. */
  leave(): Promise<void>;
  /** A failed member counts as one that left. */
  forceLeave(name: string): Promise<void>;
  /** Keys that members have, and how many have each. */
  keys(): Promise<ReadonlyMap<SerfKey, number>>;
  /** Understood by all from now on; resolves when all have it, throws internal where not all answered. */
  installKey(key: SerfKey): Promise<void>;
  /** All send by it. */
  useKey(key: SerfKey): Promise<void>;
  removeKey(key: SerfKey): Promise<void>;
  close(): void;
}
