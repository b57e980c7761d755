/**
 * Containers as somebody would make them by hand, with the same programs and nothing else: an overlay for a root, conmon and crun,
 * a veth into a bridge, an address. What an engine adds is beside it; how much slower it gets beside many is the machine's.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeCgroups } from '../../test/support/cgroups.js';
import { run, until } from '../../test/support/run.js';
import { createWorld, type World } from '../../test/support/world.js';
import { containerBody, idOf, removeContainer } from '../bench.js';
import { docker } from '../engine.js';
import { onEnd } from '../undo.js';
import type { Pair } from './pair.js';
import type { Curve } from './series.js';

export const HAND_RATE: Curve = {
  title: 'by hand: containers started a second',
  along: 'at once',
  unit: '1/s',
};
export const HAND_CLEAR: Curve = {
  title: 'by hand: all removed, four at a time',
  along: 'containers',
  unit: 's',
};

export interface HandMadeContainers {
  /** Both answer milliseconds. */
  start(index: number): Promise<number>;
  remove(index: number): Promise<number>;
  end(): Promise<void>;
}

/** A bridge takes 1,023 ports. */
const PER_BRIDGE = 250;

/** crun refuses cgroup2 beside v1, and copies the mount table of whoever calls it: the shortest that it can be given. */
const SHORT = `
  mount --make-rprivate /
  while umount -l /sys/fs/cgroup/unified 2>/dev/null; do :; done
  echo ready
  exec sleep 1000000`;

const specOf = (cgroup: string): string =>
  JSON.stringify({
    ociVersion: '1.0.0',
    process: {
      user: { uid: 0, gid: 0 },
      args: ['sleep', '1000000'],
      env: ['PATH=/usr/sbin:/usr/bin:/sbin:/bin'],
      cwd: '/',
      capabilities: {},
      noNewPrivileges: false,
    },
    root: { path: 'root' },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755', 'size=64k'] },
      {
        destination: '/dev/pts',
        type: 'devpts',
        source: 'devpts',
        options: ['newinstance', 'ptmxmode=0666'],
      },
      { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: ['mode=1777', 'size=64m'] },
      { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['ro'] },
    ],
    linux: {
      cgroupsPath: cgroup,
      namespaces: ['pid', 'ipc', 'uts', 'mount', 'network'].map((type) => ({ type })),
    },
  });

/** One container: `$1` its number, `$2` its bridge's, `$3` and `$4` the last numbers of its address. */
const START = `
  set -e
  d=$HAND/$1
  mkdir -p $d/upper $d/work $d/root
  mount -t overlay overlay -o lowerdir=$HAND/image,upperdir=$d/upper,workdir=$d/work $d/root
  sed s/@N@/$1/ $HAND/spec.json >$d/config.json
  _OCI_SYNCPIPE=3 conmon --api-version=1 --cid=$HAND_ID-$1 --cuuid=$HAND_ID-$1 --runtime=/usr/bin/crun \\
    --runtime-arg=--root=$HAND/state --runtime-arg=--cgroup-manager=cgroupfs --bundle=$d --persist-dir=$d \\
    --container-pidfile=$d/pid --conmon-pidfile=$d/conmon.pid --exit-dir=$d --full-attach --log-path=k8s-file:$d/log \\
    3>&1 >/dev/null 2>$d/said | head -n 1 >$d/told
  [ -s $d/pid ] || { cat $d/told $d/said >&2; exit 1; }
  pid=$(cat $d/pid)
  umount -l $d/root
  ip -batch - <<END
link add h$1 type veth peer name eth0 netns $pid
link set h$1 master br$2 up
END
  nsenter -t $pid -n ip -batch - <<END
address add 10.$2.$3.$4/16 dev eth0
link set eth0 up
route add default via 10.$2.255.254
END
  crun --root=$HAND/state --cgroup-manager=cgroupfs start $HAND_ID-$1`;

/** conmon tells the end by a file; itself it is waited for by nobody. */
const REMOVE = `
  set -e
  d=$HAND/$1
  kill -9 $(cat $d/pid)
  while [ ! -e $d/$HAND_ID-$1 ]; do sleep 0.002; done
  crun --root=$HAND/state --cgroup-manager=cgroupfs delete -f $HAND_ID-$1
  ip link delete h$1 2>/dev/null || :
  rm -rf $d`;

const makeBridges = (world: World): Promise<string> =>
  world.host('ip -batch -', {
    input: Array.from({ length: 5 }, (_, i) =>
      [
        `link add br${i} type bridge`,
        `link set br${i} up`,
        `address add 10.${i}.255.254/16 dev br${i}`,
        '',
      ].join('\n'),
    ).join(''),
  });

/** A process in the short namespace, and how others enter it. */
const startShort = async (world: World): Promise<{ enter: readonly string[]; end: () => void }> => {
  const [program = '', ...args] = [...world.enter, 'unshare', '-m', 'sh', '-c', SHORT];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  child.on('error', () => {}); // `until` tells it
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += String(chunk);
  });
  await until('a mount namespace by hand', () => said.includes('ready'));
  const enter = ['nsenter', `--mount=/proc/${child.pid}/ns/mnt`, `--net=${world.netns.host}`];
  return { enter, end: () => void child.kill('SIGKILL') };
};

/** The root of the engines' test image, as a tar. */
const exportRoot = async ({ empty: engine, client }: Pair, to: string): Promise<void> => {
  const made = await engine.api('POST', '/containers/create', containerBody('none'));
  const id = idOf(made.json);
  await docker(engine, client, 'export', '-o', to, id);
  await removeContainer(engine, id);
};

/** With the same root as the engines'. */
export const createByHand = async (pair: Pair): Promise<HandMadeContainers> => {
  const world = await createWorld();
  const removeWorld = onEnd(world.remove);
  const hand = join(world.base, 'hand');
  const id = `hand-${process.pid}-${Date.now()}`;
  mkdirSync(join(hand, 'image'), { recursive: true });
  const tar = join(hand, 'image.tar');
  await exportRoot(pair, tar);
  await run('tar', ['-xf', tar, '-C', join(hand, 'image')]);
  writeFileSync(join(hand, 'spec.json'), specOf(`/${id}/@N@`));
  await makeBridges(world);
  const { enter, end } = await startShort(world);
  const [program = '', ...args] = enter;
  const timed = async (script: string, index: number): Promise<number> => {
    const bridge = Math.floor(index / PER_BRIDGE);
    const numbers = [index, bridge, 1, (index % PER_BRIDGE) + 1].map(String);
    const begin = performance.now();
    await run(program, [...args, 'sh', '-c', script, 'sh', ...numbers], {
      env: { HAND: hand, HAND_ID: id },
    });
    return performance.now() - begin;
  };
  const there = new Set<number>();
  const takeAway = onEnd(async () => {
    for (const index of there) await timed(REMOVE, index).catch(() => {});
    end();
    await removeWorld();
    removeCgroups(`/${id}`);
  });
  return {
    start: async (index) => {
      there.add(index);
      return timed(START, index);
    },
    remove: async (index) => {
      const ms = await timed(REMOVE, index);
      there.delete(index);
      return ms;
    },
    end: takeAway,
  };
};

const ANSWERS = `
  const { readFileSync } = require('node:fs');
  const [, body, socket] = process.argv;
  const bytes = readFileSync(body);
  const headers = { 'Content-Type': 'application/json', 'Content-Length': bytes.length };
  require('node:http').createServer((_, answer) => answer.writeHead(200, headers).end(bytes)).listen(socket, () => console.log('ready'));`;

/** A program that answers each request with the same bytes; `socket` is its own. */
export const answerByHand = async (
  directory: string,
  body: unknown,
): Promise<{ readonly socket: string; end(): void }> => {
  const [file, socket] = [join(directory, 'answer.json'), join(directory, 'answer.sock')];
  rmSync(socket, { force: true });
  writeFileSync(file, JSON.stringify(body));
  const child = spawn(process.execPath, ['-e', ANSWERS, file, socket], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child.on('error', () => {}); // `until` tells it
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += String(chunk);
  });
  await until('an answer by hand', () => said.includes('ready'));
  return { socket, end: () => void child.kill('SIGKILL') };
};
