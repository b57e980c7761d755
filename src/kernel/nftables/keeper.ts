/**
 * The keeper: a process that does nothing but hold the socket which owns our tables, so that they keep an owner, and a
 * foreign `nft flush ruleset` passes them by, while no daemon runs. The next daemon takes that very socket from it and goes
 * on writing. It is a shell that waits for a line that never comes (1.7 MB, 0.2 of them its own), as every Debian has one.
 *
 * Nobody is believed for being called a keeper: what counts is that its descriptor is the socket by whose number the
 * kernel names the tables' owner. The file with its process id only spares a walk through /proc.
 */
import {
  closeSync,
  constants,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { attempt, unavailable } from '../../errors.js';
import * as ffi from '../ffi.js';
import { NETLINK, NetlinkSocket } from '../netlink.js';
import { everybody, identify, SIGKILL, signal } from '../processes.js';

const NAME = 'viaduct-keeper';
const SHELL = '/bin/sh';
const SCRIPT = 'read -r _ # holds the nftables tables of Viaduct, whether its daemon runs or not';
/** The keeper's descriptors: both ends of one pipe, and the socket. */
const READING = 0;
const SOCKET = 3;
/** As little as can be is killed before it when memory runs out: it has next to none. */
const OOM_SCORE = '-999';
/** A keeper that ends sooner than this after its start is not started anew at once. */
const BRIEF_MS = 1_000;
/** How long a killed one may take to let go of the socket. */
const DYING_MS = 1_000;

export interface KeeperParts {
  /** the exec root: whose keeper it is, and where the file with its process id lies */
  readonly home: string;
  readonly warn: (message: string) => void;
}

const argumentsOf = (pid: number): readonly string[] =>
  attempt(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')) ?? [];

/** The exec root that a keeper's arguments name; undefined: it is none. */
const homeOf = (pid: number): string | undefined => {
  const [name, , , home] = argumentsOf(pid);
  return name === NAME ? home : undefined;
};

/** Inode of the netfilter socket with this port, by the columns `sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode`. */
const inodeOf = (port: number): string | undefined => {
  const rows = readFileSync('/proc/thread-self/net/netlink', 'latin1').split('\n');
  const row = rows
    .map((line) => line.trim().split(/\s+/))
    .find(([, protocol, pid]) => {
      return Number(protocol) === NETLINK.NETFILTER && Number(pid) === port;
    });
  return row?.[9];
};

const holds = (pid: number, inode: string): boolean =>
  attempt(() => readlinkSync(`/proc/${pid}/fd/${SOCKET}`)) === `socket:[${inode}]`;

const keepers = (): readonly number[] => everybody().filter((pid) => homeOf(pid) !== undefined);

/** A child of ours is reaped; whoever else's it was reaps it himself. */
const reap = (pid: number): void => void attempt(() => ffi.waitpid(pid));

const sleepMs = (ms: number): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

export class Keeper {
  readonly #record: string;
  #pid = 0;
  #since = 0;
  #socket: NetlinkSocket | undefined;
  #watch: Socket | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly parts: KeeperParts) {
    this.#record = join(parts.home, 'keeper.pid');
  }

  /**
   * The socket that owns tables, where a keeper of ours holds it. One of ours that is not seen to hold it is ended. Throws
   * unavailable where it is a keeper's of another exec root.
   */
  take(owner: number): NetlinkSocket | undefined {
    const recorded = this.#recorded();
    const inode = owner === 0 ? undefined : inodeOf(owner);
    const pid =
      inode && (recorded && holds(recorded, inode) ? recorded : keepers().find((each) => holds(each, inode)));
    if (recorded && recorded !== pid) this.#end(recorded, inode && 'it is not seen to hold it');
    if (!pid) {
      // None that may be looked at. One of ours that has no record holds it all the same, where nobody else does.
      for (const each of inode ? keepers() : [])
        if (homeOf(each) === this.parts.home) this.#end(each, 'it is not seen to hold it');
      return undefined;
    }
    const home = homeOf(pid);
    if (home !== undefined && home !== this.parts.home)
      throw unavailable(
        `the nftables tables of this network namespace are kept for a Viaduct whose exec root is ${home}: start that one, or give it up with \`kill ${pid}\``,
      );
    return this.#takeFrom(pid);
  }

  /** From now on, until `end`, a process holds the socket as well, also when this one is gone. */
  hold(socket: NetlinkSocket): void {
    this.#socket = socket;
    if (this.#pid === 0) this.#start(socket);
  }

  /** Nothing is left to be kept. */
  end(): void {
    const pid = this.#pid;
    this.close();
    if (pid > 0) this.#kill(pid);
    rmSync(this.#record, { force: true });
  }

  /** The keeper stays. */
  close(): void {
    this.#socket = undefined;
    this.#pid = 0;
    clearTimeout(this.#timer);
    this.#watch?.destroy();
    this.#watch = undefined;
  }

  /** 0: none */
  #recorded(): number {
    const pid = Number(attempt(() => readFileSync(this.#record, 'latin1')) ?? 0);
    return pid > 0 && homeOf(pid) === this.parts.home ? pid : 0;
  }

  #takeFrom(pid: number): NetlinkSocket | undefined {
    try {
      const pidfd = ffi.pidfdOpen(pid);
      try {
        const socket = NetlinkSocket.take(ffi.pidfdGetfd(pidfd, SOCKET), NETLINK.NETFILTER);
        this.#adopt(pid);
        return socket;
      } finally {
        ffi.close(pidfd);
      }
    } catch (error) {
      this.#end(pid, String(error));
      return undefined;
    }
  }

  /**
   * Where to take descriptors, or to look at them, is forbidden (Yama's strictest scope, a seccomp filter, no CAP_SYS_PTRACE)
   * the tables change hands openly.
   */
  #end(pid: number, why: string | undefined): void {
    if (why)
      this.parts.warn(
        `the socket of the firewall's tables cannot be taken over from process ${pid} (${why}): another owns them`,
      );
    this.#kill(pid);
  }

  #start(socket: NetlinkSocket): void {
    const [reading, writing] = ffi.pipe();
    try {
      const pid = ffi.posixSpawn({
        path: SHELL,
        argv: [NAME, '-c', SCRIPT, this.parts.home],
        env: [],
        cwd: '/',
        fds: [reading, writing, null, socket.descriptor],
      });
      attempt(() => writeFileSync(`/proc/${pid}/oom_score_adj`, OOM_SCORE));
      this.#adopt(pid);
    } catch (error) {
      this.parts.warn(`no process keeps the firewall's tables when this one is gone: ${String(error)}`);
    } finally {
      closeSync(reading);
      closeSync(writing);
    }
  }

  /**
   * Its end is learned from its own pipe, of which nobody else has the writing end. Opened anew, not shared: to read without
   * waiting is a property of the open file, and the keeper is to wait.
   */
  #adopt(pid: number): void {
    this.#pid = pid;
    this.#since = performance.now();
    try {
      const fd = openSync(`/proc/${pid}/fd/${READING}`, constants.O_RDONLY | constants.O_NONBLOCK);
      const watch = new Socket({ fd, readable: true, writable: false });
      watch.on('error', () => {});
      watch.once('close', () => {
        if (this.#watch === watch) this.#died(pid);
      });
      watch.resume();
      watch.unref();
      this.#watch = watch;
      writeFileSync(this.#record, String(pid), { mode: 0o600 });
    } catch (error) {
      this.parts.warn(`the keeper of the firewall's tables is not watched: ${String(error)}`);
    }
  }

  #died(pid: number): void {
    reap(pid);
    this.#pid = 0;
    this.#watch = undefined;
    const socket = this.#socket;
    if (!socket) return;
    this.parts.warn(
      `the keeper of the firewall's tables (process ${pid}) has ended: another takes its place`,
    );
    const begin = (): void => {
      if (this.#socket && this.#pid === 0) this.#start(this.#socket);
    };
    if (performance.now() - this.#since > BRIEF_MS) begin();
    else this.#timer = setTimeout(begin, BRIEF_MS).unref();
  }

  /** Returns when it holds nothing any more. */
  #kill(pid: number): void {
    const found = identify(pid);
    if (homeOf(pid) === this.parts.home) signal(found, SIGKILL);
    const open = () => attempt(() => readdirSync(`/proc/${pid}/fd`).length) ?? 0;
    for (let waited = 0; waited < DYING_MS && open() > 0; waited += 1) sleepMs(1);
    reap(pid);
  }
}
