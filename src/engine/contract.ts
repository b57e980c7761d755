/**
 * The engine's doors: every command and every query the API (and later other doors) may use. Commands throw
 * ViaductError. Network commands are synchronous inside: they are done, in the kernel and on disk, when they return.
 */
import type { Readable } from 'node:stream';
import type { DaemonConfig } from '../config/contract.js';
import type { Dirty, Objects, PendingSteps, Topology } from '../door/schema.js';
import type { Images } from '../images/contract.js';
import type { Balancer } from '../model/balancer.js';
import type { Container, ContainerConfig, EndpointSettings, HostConfig } from '../model/container.js';
import type { Endpoint, Sandbox } from '../model/endpoint.js';
import type { EngineEvent } from '../model/events.js';
import type { ContainerId, NetworkId } from '../model/ids.js';
import type { Network } from '../model/network.js';
import type { Peer } from '../model/peer.js';
import type { AddressCount } from '../model/pool.js';
import type { Volume } from '../model/volume.js';
import type {
  LogLine,
  LogRequest,
  PathStat,
  RunningExec,
  Streams,
  TerminalSize,
  Top,
  Usage,
} from '../runtime/contract.js';
import type { BuildCommands } from './build/contract.js';

export interface NetworkCreateRequest
  extends Pick<
    Network,
    'name' | 'internal' | 'attachable' | 'configOnly' | 'configFrom' | 'options' | 'labels'
  > {
  /** empty: bridge */
  readonly driver: string;
  readonly scope: string;
  readonly ingress: boolean;
  /** undefined: the daemon's default (IPv4 on, IPv6 off) */
  readonly ipv4?: boolean;
  readonly ipv6?: boolean;
  /** an empty driver: default */
  readonly ipam: Omit<Network['ipam'], 'addressSpace'>;
}

export interface NetworkCommands {
  create(request: NetworkCreateRequest): Promise<{ id: NetworkId; warning: string }>;
  /** `force`: also where a plugin that should be told is not on this host any more. */
  remove(reference: string, force?: boolean): Promise<void>;
  list(): readonly Network[];
  /** Full id, then name, then id prefix; `default` is the bridge; ambiguous prefix: invalid. Throws not-found `network X not found`. */
  get(reference: string): Network;
  find(reference: string): Network | undefined;
  endpoints(network: Network): readonly Endpoint[];
  /** what other hosts have on it */
  peers(network: Network): readonly Peer[];
  /** the cluster's services on it, as this host's containers meet them */
  balancers(network: Network): readonly Balancer[];
  /** By subnet; empty where the addresses are not ours to give. */
  addresses(network: Network): ReadonlyMap<string, AddressCount>;
  connect(reference: string, container: string, settings: EndpointSettings): Promise<void>;
  disconnect(reference: string, container: string, force: boolean): Promise<void>;
  /** Names of the removed. `keep` decides by label and age. */
  prune(selected: (network: Network) => boolean): Promise<readonly string[]>;
}

export interface ContainerCreateRequest {
  /** empty: a name is made */
  readonly name: string;
  readonly platform: string;
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  /** in the order in which interfaces are to be made; empty: by NetworkMode alone. Key: a network's name or id. */
  readonly networks: readonly { readonly network: string; readonly settings: EndpointSettings }[];
  /** of a build: no daemon that starts later keeps it */
  readonly step?: boolean;
  /** id of the swarm's task that it is made for */
  readonly task?: string;
}

export interface ContainerCommands {
  create(request: ContainerCreateRequest): Promise<{ id: ContainerId; warnings: readonly string[] }>;
  start(reference: string): Promise<void>;
  stop(reference: string, timeoutSeconds?: number, signal?: string): Promise<void>;
  restart(reference: string, timeoutSeconds?: number, signal?: string): Promise<void>;
  kill(reference: string, signal: string): Promise<void>;
  pause(reference: string): Promise<void>;
  unpause(reference: string): Promise<void>;
  remove(reference: string, options: { force: boolean; volumes: boolean; link: boolean }): Promise<void>;
  rename(reference: string, name: string): Promise<void>;
  update(reference: string, hostConfig: Partial<HostConfig>): Promise<readonly string[]>;
  prune(selected: (container: Container) => boolean): Promise<{ deleted: readonly string[]; bytes: number }>;
  list(): readonly Container[];
  /** Full id, then name (with or without slash), then id prefix. Throws not-found `No such container: X`. */
  get(reference: string): Container;
  find(reference: string): Container | undefined;
  endpoints(container: Container): readonly Endpoint[];
  sandbox(container: Container): Sandbox | undefined;
  /** Paths that `inspect` shows. */
  paths(container: Container): { hosts: string; resolvConf: string; hostname: string; log: string };
  /** `removed`: also waits for the removal. Registered when the promise is made, not when it is awaited. */
  wait(
    reference: string,
    condition: 'not-running' | 'next-exit' | 'removed',
  ): Promise<{ exitCode: number; error: string }>;
  /**
   * The end of a container that removed itself (`--rm`) seconds ago, by full id. dockerode's `run` asks only after `start`
   * has answered, which with dockerd is always in time.
   */
  ended(id: string): { exitCode: number; error: string } | undefined;
  /**
   * Throws where it cannot be attached to. The streams come when the container starts, at once where it runs; empty ones
   * where it will not start, or when the client is `gone` before. `settled`, asked when they have ended: resolves when the
   * record says how the container ended and its networks are free of it.
   */
  attach(
    reference: string,
    options: { logs: boolean; stream: boolean; stdin: boolean; stdout: boolean; stderr: boolean },
    gone: AbortSignal,
  ): { readonly streams: Promise<Streams>; readonly settled?: () => Promise<unknown> };
  resize(reference: string, size: TerminalSize): void;
  logs(reference: string, request: LogRequest): AsyncIterable<LogLine>;
  usage(reference: string): Usage | undefined;
  top(reference: string, psArgs: string): Promise<Top>;
  changes(reference: string): Promise<readonly { Path: string; Kind: 0 | 1 | 2 }[]>;
  commit(
    reference: string,
    request: {
      repo: string;
      tag: string;
      comment: string;
      author: string;
      changes: readonly string[];
      pause: boolean;
    },
  ): Promise<string>;
  stat(reference: string, path: string): Promise<PathStat>;
  archive(reference: string, path: string): Promise<{ stat: PathStat; tar: Readable }>;
  extract(
    reference: string,
    path: string,
    tar: Readable,
    options: { noOverwriteDirNonDir: boolean; copyUidGid: boolean },
  ): Promise<void>;
  export(reference: string): Promise<Readable>;
}

/** An exec as `GET /exec/{id}/json` shows it. */
export interface ExecInstance {
  readonly id: string;
  readonly containerId: ContainerId;
  readonly request: import('../runtime/contract.js').ExecRequest;
  readonly running: boolean;
  readonly pid: number;
  /** null while it has not ended */
  readonly exitCode: number | null;
}

export interface ExecCommands {
  create(container: string, request: Omit<ExecInstance['request'], 'containerId'>): { id: string };
  /** Throws where it cannot be started now (conflict, not-found). Rejects where its command cannot be run. */
  start(
    id: string,
    options: { detach: boolean; tty: boolean; size?: TerminalSize },
  ): { readonly running: Promise<RunningExec> };
  resize(id: string, size: TerminalSize): void;
  get(id: string): ExecInstance;
  ofContainer(containerId: ContainerId): readonly string[];
}

export interface VolumeCommands {
  create(request: {
    name: string;
    driver: string;
    options: Readonly<Record<string, string>>;
    labels: Readonly<Record<string, string>>;
  }): Volume;
  list(): readonly Volume[];
  get(name: string): Volume;
  remove(name: string, force: boolean): Promise<void>;
  usedBy(name: string): readonly ContainerId[];
  size(name: string): Promise<number>;
  prune(selected: (volume: Volume) => boolean): Promise<{ deleted: readonly string[]; bytes: number }>;
}

/** What a container sent and its port did not take: the sender guard's counter. */
export interface DroppedPackets {
  /** name, without slash */
  readonly container: string;
  readonly network: string;
  readonly reason: string;
  readonly packets: number;
}

/** What Docker has no words for; reads only. References are understood as everywhere; throws not-found. */
export interface Seeing {
  /** What must be in the kernel because of a container that runs, or of a network and those on it. */
  objectsOfContainer(reference: string): Promise<Objects>;
  objectsOfNetwork(reference: string): Promise<Objects>;
  topology(): Topology;
  dirty(): Dirty;
  /** What a repair of everything would do now. Looks at all of ours in the kernel. */
  plan(): Promise<PendingSteps>;
}

export interface Engine {
  readonly config: DaemonConfig;
  /** Resolves when what was commanded so far outlives a power cut; undefined: it does. Rejects where the disk refuses. */
  written(): Promise<void> | undefined;
  /** random, kept in the data root */
  readonly id: string;
  /** Another number after each change of any record. */
  edition(): number;
  readonly networks: NetworkCommands;
  readonly containers: ContainerCommands;
  readonly execs: ExecCommands;
  readonly volumes: VolumeCommands;
  readonly images: Images;
  readonly builds: BuildCommands;
  readonly seeing: Seeing;
  readonly events: {
    publish(event: Omit<EngineEvent, 'timeNano'>): void;
    /** Past events (the last 1,000 are kept) then live ones; answers a function that ends the subscription. */
    subscribe(listener: (event: EngineEvent) => void): () => void;
    past(): readonly EngineEvent[];
  };
  readonly runtime: { readonly name: string; readonly version: string };
  /** what is not as it should be since the daemon's start: sentences for people */
  warnings(): readonly string[];
  /** By container and network; of containers that run. */
  dropped(): readonly DroppedPackets[];
  /** names of the network drivers there are: built in, and plugins in use */
  networkDrivers(): readonly string[];
}
