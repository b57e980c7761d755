/**
 * Open Virtual Network on one made-up machine, with Open vSwitch's userspace datapath (no kernel module), and the Docker
 * plugin of its own project, `ovn-docker-overlay-driver`, as Debian ships it. All of it lives in the world's namespaces
 * and directory, and ends with `stop`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from './run.js';
import type { World } from './world.js';

export interface Ovn {
  /** what OVN knows: logical switches and their ports */
  show(): Promise<string>;
  /** ends the plugin alone, and starts it again */
  restartPlugin(signal: NodeJS.Signals): Promise<void>;
  stop(): Promise<void>;
}

const SCHEMAS = {
  ovs: '/usr/share/openvswitch/vswitch.ovsschema',
  nb: '/usr/share/ovn/ovn-nb.ovsschema',
  sb: '/usr/share/ovn/ovn-sb.ovsschema',
} as const;

/**
 * The plugin was written for Python 2, whose pipes carry text, and as Debian ships it (23.03) dies under Python 3 of
 * reading bytes. Its file is run as it is, with such pipes.
 */
const TEXT_PIPES = `import subprocess
class Popen(subprocess.Popen):
    def __init__(self, *args, **options):
        options.setdefault('universal_newlines', True)
        super().__init__(*args, **options)
subprocess.Popen = Popen
`;

export const startOvn = async (world: World): Promise<Ovn> => {
  const dir = join(world.base, 'ovn');
  mkdirSync(dir);
  writeFileSync(join(dir, 'sitecustomize.py'), TEXT_PIPES);
  const env = {
    PYTHONPATH: dir,
    OVS_RUNDIR: dir,
    OVS_DBDIR: dir,
    OVS_SYSCONFDIR: dir,
    OVN_RUNDIR: dir,
    OVN_DBDIR: dir,
  };
  const [program = '', ...enter] = world.enter;
  const running: ChildProcess[] = [];
  const said = openSync(join(dir, 'log'), 'a');
  const launch = (...command: string[]): ChildProcess => {
    const child = spawn(program, [...enter, ...command], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', said],
    });
    running.push(child);
    return child;
  };
  const end = (child: ChildProcess, signal: NodeJS.Signals): Promise<void> =>
    new Promise((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null) return resolve();
      child.once('exit', () => resolve());
      child.kill(signal);
    });
  const shell = (command: string): Promise<string> => world.host(command, { env });
  const db = (name: keyof typeof SCHEMAS): string => join(dir, `${name}.db`);
  const socket = (name: string): string => `unix:${dir}/${name}.sock`;

  for (const name of ['ovs', 'nb', 'sb'] as const)
    await shell(`ovsdb-tool create ${db(name)} ${SCHEMAS[name]}`);
  launch('ovsdb-server', db('ovs'), `--remote=p${socket('db')}`, `--unixctl=${dir}/a.ctl`);
  launch('ovsdb-server', db('nb'), `--remote=p${socket('nb')}`, `--unixctl=${dir}/b.ctl`);
  launch('ovsdb-server', db('sb'), `--remote=p${socket('sb')}`, `--unixctl=${dir}/c.ctl`);
  const answers = (command: string) =>
    until(
      `${command} is answered; they said: ${readFileSync(join(dir, 'log'), 'utf8').slice(-3000)}`,
      () =>
        shell(command).then(
          () => true,
          () => false,
        ),
      10_000,
    );
  await answers('ovs-vsctl --timeout=2 --no-wait init');
  for (const name of ['nb', 'sb']) await answers(`ovsdb-client --timeout=2 list-dbs ${socket(name)}`);
  // The plugin and OVN would make br-int in the kernel: it is there already, in userspace.
  await shell(`ovs-vsctl --no-wait add-br br-int -- set bridge br-int datapath_type=netdev fail-mode=secure -- \
    set open_vswitch . external_ids:system-id=test external_ids:ovn-remote=${socket('sb')} external_ids:ovn-nb=${socket('nb')} \
    external_ids:ovn-encap-type=geneve external_ids:ovn-encap-ip=127.0.0.1 external_ids:ovn-bridge-datapath-type=netdev`);
  launch('ovs-vswitchd', socket('db'), `--unixctl=${dir}/d.ctl`);
  launch('ovn-northd', `--ovnnb-db=${socket('nb')}`, `--ovnsb-db=${socket('sb')}`, `--unixctl=${dir}/e.ctl`);
  launch('ovn-controller', socket('db'));
  // The plugin writes its specification to /etc/docker/plugins: this machine's own.
  await world.host('mkdir -p /etc/docker && mount -t tmpfs none /etc/docker');
  const plugin = async (): Promise<ChildProcess> => {
    await world.host('rm -f /etc/docker/plugins/openvswitch.spec');
    const child = launch('ovn-docker-overlay-driver');
    await answers("ss -tln | grep ':5000 '");
    return child;
  };
  let current = await plugin();
  return {
    show: () => shell(`ovn-nbctl --db=${socket('nb')} show`),
    async restartPlugin(signal) {
      await end(current, signal);
      current = await plugin();
    },
    async stop() {
      await end(current, 'SIGTERM');
      await shell('ovs-vsctl --timeout=5 del-br br-int').catch(() => '');
      for (const child of running.reverse()) await end(child, 'SIGKILL');
      await world.host(
        'umount /etc/docker; ip link delete br-int 2>/dev/null; ip link delete ovs-netdev 2>/dev/null; true',
      );
    },
  };
};
