/**
 * An Open vSwitch of the test's own: database, run directory and both processes in one network namespace, with the
 * userspace datapath where the kernel has no module. Invariant: the machine's own is never touched; `remove` leaves nothing.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { attempt, type Result, run, until } from './run.js';
import { knownStands } from './stands.js';

knownStands({ 'a plan is one stretch, so Open vSwitch is waited for (ADR 20)': /Stream\.(read|write)/ });

const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';

type Part = 'ovsdb-server' | 'ovs-vswitchd';

export interface TestOvs {
  readonly runDirectory: string;
  /** `ovs-vsctl`, to look and to meddle */
  readonly vsctl: (...args: string[]) => Promise<string>;
  readonly tryVsctl: (...args: string[]) => Promise<Result>;
  /** `ovs-ofctl -O OpenFlow13 <command> <bridge>…` */
  readonly ofctl: (command: string, bridge: string, ...args: string[]) => Promise<string>;
  /** `ovs-appctl` to ovs-vswitchd */
  readonly appctl: (...args: string[]) => Promise<string>;
  readonly start: (part: Part) => Promise<void>;
  /** SIGTERM by default; resolves when it is gone */
  readonly end: (part: Part, signal?: NodeJS.Signals) => Promise<void>;
  readonly signal: (part: Part, signal: NodeJS.Signals) => void;
  readonly restart: (part: Part) => Promise<void>;
  /** both are ended and come back with an empty database */
  readonly wipe: () => Promise<void>;
  readonly remove: () => Promise<void>;
}

/** `enter`: a command line that goes before, to enter a namespace; empty: where we are. */
export const startOvs = async (base: string, enter: readonly string[] = []): Promise<TestOvs> => {
  const directory = join(base, 'ovs');
  mkdirSync(directory, { recursive: true });
  const env = {
    ...process.env,
    OVS_RUNDIR: directory,
    OVS_DBDIR: directory,
    OVS_LOGDIR: directory,
    OVS_SYSCONFDIR: directory,
  };
  const socket = join(directory, 'db.sock');
  const children = new Map<Part, ChildProcess>();
  const vsctlArgs = (args: readonly string[]): string[] => [`--db=unix:${socket}`, '--timeout=10', ...args];
  const common = (part: Part): string[] => [
    `--pidfile=${directory}/${part}.pid`,
    `--unixctl=${directory}/${part}.ctl`,
    `--log-file=${directory}/${part}.log`,
    '-vconsole:off',
  ];
  const args: Record<Part, readonly string[]> = {
    'ovsdb-server': [join(directory, 'conf.db'), `--remote=punix:${socket}`, ...common('ovsdb-server')],
    'ovs-vswitchd': [`unix:${socket}`, ...common('ovs-vswitchd')],
  };

  const start = async (part: Part): Promise<void> => {
    const [program = part, ...rest] = [...enter, part, ...args[part]];
    const child = spawn(program, rest, { env, stdio: 'ignore' });
    children.set(part, child);
    await until(`${part} runs`, async () =>
      part === 'ovsdb-server'
        ? existsSync(socket) && (await attempt('ovs-vsctl', vsctlArgs(['--no-wait', 'init']))).code === 0
        : (await attempt('ovs-appctl', ['-t', `${directory}/${part}.ctl`, 'version'])).code === 0,
    );
  };
  const end = async (part: Part, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    const child = children.get(part);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.on('exit', resolve));
    child.kill(signal);
    await gone;
  };

  const startNew = async (): Promise<void> => {
    await run('ovsdb-tool', ['create', join(directory, 'conf.db'), SCHEMA]);
    await start('ovsdb-server');
    await start('ovs-vswitchd');
  };
  await startNew();
  return {
    runDirectory: directory,
    vsctl: (...a) => run('ovs-vsctl', vsctlArgs(a)),
    tryVsctl: (...a) => attempt('ovs-vsctl', vsctlArgs(a)),
    ofctl: (command, bridge, ...a) =>
      run('ovs-ofctl', ['-O', 'OpenFlow13', command, join(directory, `${bridge}.mgmt`), ...a]),
    appctl: (...a) => run('ovs-appctl', ['-t', `${directory}/ovs-vswitchd.ctl`, ...a]),
    start,
    end,
    signal: (part, signal) => void children.get(part)?.kill(signal),
    restart: async (part) => {
      await end(part, part === 'ovs-vswitchd' ? 'SIGKILL' : 'SIGTERM');
      rmSync(`${directory}/${part}.pid`, { force: true });
      await start(part);
    },
    wipe: async () => {
      for (const part of ['ovs-vswitchd', 'ovsdb-server'] as const) await end(part);
      rmSync(join(directory, 'conf.db'));
      await startNew();
    },
    remove: async () => {
      for (const part of ['ovs-vswitchd', 'ovsdb-server'] as const) await end(part, 'SIGKILL');
      rmSync(directory, { recursive: true, force: true });
    },
  };
};
