/**
 * The container runtime's interface: containers by conmon + crun. The runtime knows processes, mounts and streams,
 * not networks nor Docker's API.
 */
import type { Readable } from 'node:stream';
import type { ExtractOptions, FileView, Owner, PathStat } from '../files/contract.js';
import type { Container } from '../model/container.js';
import type { Image } from '../model/image.js';

/** Everything one start needs beyond the container itself. */
export interface StartRequest {
  readonly container: Container;
  readonly image: Image;
  /** mounted root file system */
  readonly rootfs: string;
  /** path of the network namespace to join; empty: the host's */
  readonly netns: string;
  /** files bind-mounted at /etc/hosts, /etc/resolv.conf, /etc/hostname; a file absent here is left as the image has it */
  readonly etc: { readonly hosts?: string; readonly resolvConf?: string; readonly hostname?: string };
  /** appended to the container's own environment (links) */
  readonly env: readonly string[];
  readonly hostname: string;
  readonly domainname: string;
  /** an init program goes before the command, which is not asked for where the pid namespace is somebody else's */
  readonly init: boolean;
  /** `net.*` and other sysctls */
  readonly sysctls: Readonly<Record<string, string>>;
  /** pids of containers whose pid/ipc namespaces are joined; absent: private or host by HostConfig */
  readonly pidOf?: { readonly pid?: number; readonly ipc?: number };
}

export interface Top {
  readonly titles: readonly string[];
  readonly processes: readonly (readonly string[])[];
}

export interface Exit {
  readonly exitCode: number;
  readonly oomKilled: boolean;
  readonly finishedAt: string;
}

export interface ExecRequest {
  readonly containerId: string;
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly attachStdin: boolean;
  readonly attachStdout: boolean;
  readonly attachStderr: boolean;
  readonly env: readonly string[];
  readonly user: string;
  readonly workingDir: string;
  readonly privileged: boolean;
  /** as the user wrote them; empty: the default */
  readonly detachKeys?: string;
  readonly size?: TerminalSize;
}

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/** Standard streams of a container or an exec. With a terminal everything is `stdout`. */
export interface Streams {
  /** writing ends with `end()`, which closes the process's stdin */
  readonly stdin: NodeJS.WritableStream | null;
  readonly stdout: Readable;
  readonly stderr: Readable | null;
  /** lets go without ending the process */
  detach(): void;
}

export interface RunningExec {
  readonly pid: number;
  readonly streams: Streams;
  readonly exited: Promise<number>;
  resize(size: TerminalSize): void;
  /** SIGKILL for it and for all that it started */
  end(): void;
}

export interface LogLine {
  readonly stream: 'stdout' | 'stderr';
  /** RFC 3339 with nanoseconds */
  readonly time: string;
  /** with its line end where it had one */
  readonly text: Buffer;
}

export interface LogRequest {
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** milliseconds since the epoch; 0: from the beginning */
  readonly since: number;
  readonly until: number;
  /** lines; -1: all */
  readonly tail: number;
  readonly follow: boolean;
}

/** A reading of the container's cgroup, in the units of Docker's stats. */
export interface Usage {
  readonly cpuNanoseconds: number;
  readonly cpuUserNanoseconds: number;
  readonly cpuSystemNanoseconds: number;
  readonly onlineCpus: number;
  readonly hostCpuNanoseconds: number;
  readonly memoryBytes: number;
  readonly memoryLimitBytes: number;
  readonly memoryCacheBytes: number;
  readonly pids: number;
  readonly blockReadBytes: number;
  readonly blockWriteBytes: number;
  /** by the interface's name inside the container; absent: not read (no network of its own) */
  readonly networks?: Readonly<Record<string, InterfaceCounters>>;
}

/** What one interface carried since it exists, as seen from inside the container. */
export interface InterfaceCounters {
  readonly receivedBytes: number;
  readonly receivedPackets: number;
  readonly receiveErrors: number;
  readonly receiveDropped: number;
  readonly sentBytes: number;
  readonly sentPackets: number;
  readonly sendErrors: number;
  readonly sendDropped: number;
}

export interface Runtime {
  /** Finds crun (or runc) and conmon; throws unavailable with the remedy where missing. */
  open(): Promise<void>;
  /** Lets go of connections and watches, and ends what is under way; containers run on. */
  close(): Promise<void>;
  readonly name: 'crun' | 'runc';
  readonly version: string;
  /** What can be waited for before `create`, which then begins at once. `delete` takes it back. */
  prepare(request: Pick<StartRequest, 'container' | 'rootfs' | 'pidOf'>): Promise<void>;
  /**
   * conmon + `crun create`: the container's process waits before its command; who attaches now misses nothing. `givenUp`:
   * what was begun is ended, and it rejects.
   */
  create(request: StartRequest, givenUp?: AbortSignal): Promise<{ readonly pid: number }>;
  start(id: string): Promise<void>;
  /** A start is coming: pays early, in the background, what can be paid early. */
  foresee(): void;
  /** New streams on a running container; any number at a time. */
  attach(id: string): Streams;
  resize(id: string, size: TerminalSize): void;
  kill(id: string, signal: number): Promise<void>;
  /** Both are well with one that is so already. */
  pause(id: string): Promise<void>;
  resume(id: string): Promise<void>;
  isPaused(id: string): boolean;
  /** Calls back once when the container's process has ended, also for one re-adopted after a restart of the daemon. */
  onExit(id: string, callback: (exit: Exit) => void): void;
  /**
   * Removes the runtime's state of an ended container (keeps its logs). Kills what is left of it. Resolves when attached
   * clients have its last output, but waits only seconds for them.
   */
  delete(id: string): Promise<void>;
  /** After a daemon restart: is it still running (pid), or how did it end? `undefined`: nothing known of it. */
  adopt(id: string): { readonly pid: number } | { readonly exit: Exit } | undefined;
  /** What is there of containers that are not `known`, because records were lost. `pid` 0: it has ended. */
  strays(known: (id: string) => boolean): readonly { readonly id: string; readonly pid: number }[];
  /** Puts a text beside a container's bundle, in the place of the former one; where there is no bundle, nowhere. */
  keep(id: string, text: string): void;
  /** That text; undefined: there is none. */
  kept(id: string): string | undefined;
  exec(request: ExecRequest, container: Container): Promise<RunningExec>;
  logs(id: string, request: LogRequest): AsyncIterable<LogLine>;
  /** Removes every trace: logs, bundle. */
  forget(id: string): Promise<void>;
  usage(id: string): Usage | undefined;
  /** `ps` of the container's processes: titles and rows, as Docker's /top answers. */
  top(id: string, psArgs: string): Promise<Top>;
  /** tar of a path in the container, with its stat; nothing outside the view is reached. */
  archive(view: FileView, path: string): { readonly stat: PathStat; readonly tar: Readable };
  /** tar of a whole root, without mounts */
  export(root: string): Readable;
  stat(view: FileView, path: string): PathStat;
  /** numbers of a user as `--user` takes it, by the root's files. Throws invalid. */
  user(root: string, user: string): Owner;
  extract(view: FileView, path: string, tar: Readable, options: ExtractOptions): Promise<void>;
  /** Applies new limits to a running container (`docker update`). */
  update(id: string, hostConfig: Container['hostConfig']): Promise<void>;
}

export type { PathStat } from '../files/contract.js';

/** Thrown by `create` and `exec` where the process could not be started. */
export { StartError } from './failure.js';
