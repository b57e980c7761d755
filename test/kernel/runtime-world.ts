/** A runtime over a tiny root file system (busybox alone) and containers to run in it; all of it removed afterwards. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { freshId } from '../../src/engine/fresh.js';
import type { Container, ContainerConfig, HostConfig, MountPoint } from '../../src/model/container.js';
import type { Image } from '../../src/model/image.js';
import type { ExecRequest, Exit, Runtime, StartRequest } from '../../src/runtime/contract.js';
import { createRuntime, type RuntimeOptions } from '../../src/runtime/index.js';
import { aContainer } from '../support/views.js';

const APPLETS =
  `sh echo cat sleep ls id env ps true false head tail seq dd mount hostname touch chmod kill stty wc tr
grep ulimit sync setsid mknod mkdir printf yes date test readlink tty ipcs`.split(/\s+/);

const makeRoot = (root: string): void => {
  for (const directory of ['bin', 'proc', 'sys', 'dev', 'etc', 'tmp', 'root', 'data', 'noexec'])
    mkdirSync(join(root, directory), { recursive: true });
  copyFileSync('/usr/bin/busybox', join(root, 'bin/busybox'));
  for (const applet of APPLETS) symlinkSync('busybox', join(root, 'bin', applet));
  writeFileSync(join(root, 'noexec/file'), 'x', { mode: 0o644 });
  writeFileSync(
    join(root, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1001::/home/alice:/bin/sh\n',
  );
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\nusers:x:1001:\nwheel:x:10:alice\nvideo:x:44:\n');
};

export const IMAGE: Image = {
  id: `sha256:${'0'.repeat(64)}`,
  tags: ['busybox:latest'],
  digests: [],
  createdAt: '',
  size: 0,
  architecture: 'amd64',
  os: 'linux',
  author: '',
  comment: '',
  config: {
    Env: [],
    Cmd: null,
    Entrypoint: null,
    ExposedPorts: {},
    Volumes: {},
    WorkingDir: '',
    User: '',
    Labels: {},
    StopSignal: '',
  },
  diffIds: [],
  history: [],
};

export interface Wishes {
  readonly config?: Partial<ContainerConfig>;
  readonly host?: Partial<HostConfig>;
  readonly mounts?: readonly MountPoint[];
  readonly request?: Partial<StartRequest>;
}

export const container = (args: readonly string[], wishes: Wishes = {}): Container =>
  aContainer({
    id: freshId(),
    name: 'box',
    imageId: IMAGE.id,
    config: { Hostname: 'box', ...wishes.config },
    hostConfig: { NetworkMode: 'none', ...wishes.host },
    mounts: wishes.mounts ?? [],
    args,
  });

export interface Finished {
  readonly exit: Exit;
  readonly out: string;
  readonly err: string;
}

export const readAll = (stream: Readable | null): Promise<string> =>
  stream ? text(stream) : Promise.resolve('');

export const makeWorld = async (options: Pick<RuntimeOptions, 'runtime' | 'limits'> = {}) => {
  const base = mkdtempSync(join(tmpdir(), 'vr-'));
  const root = join(base, 'root');
  makeRoot(root);
  const started = new Set<string>();
  const open = async (): Promise<Runtime> => {
    const runtime = createRuntime({
      stateDir: join(base, 'run'),
      logDir: (id) => join(base, 'logs', id),
      ...options,
    });
    await runtime.open();
    return runtime;
  };
  const runtime = await open();

  const request = (box: Container, wishes: Wishes = {}): StartRequest => ({
    container: box,
    image: IMAGE,
    rootfs: root,
    netns: '',
    etc: {},
    env: [],
    hostname: 'box',
    domainname: '',
    init: false,
    sysctls: {},
    ...wishes.request,
  });
  /** Created, attached, started. */
  const launch = async (args: readonly string[], wishes: Wishes = {}) => {
    const box = container(args, wishes);
    started.add(box.id);
    const { pid } = await runtime.create(request(box, wishes));
    const exited = new Promise<Exit>((resolve) => runtime.onExit(box.id, resolve));
    const streams = runtime.attach(box.id);
    await runtime.start(box.id);
    return { box, id: box.id, pid, exited, streams };
  };
  /** Run to its end and removed. */
  const finish = async (args: readonly string[], wishes: Wishes = {}): Promise<Finished> => {
    const { id, exited, streams } = await launch(args, wishes);
    const [out, err, exit] = await Promise.all([readAll(streams.stdout), readAll(streams.stderr), exited]);
    await runtime.delete(id);
    return { exit, out, err };
  };
  const shell = (script: string, wishes: Wishes = {}) => finish(['sh', '-c', script], wishes);
  const exec = (box: Container, command: readonly string[], wishes: Partial<ExecRequest> = {}) =>
    runtime.exec(
      {
        containerId: box.id,
        command,
        tty: false,
        attachStdin: false,
        attachStdout: true,
        attachStderr: true,
        env: [],
        user: '',
        workingDir: '',
        privileged: false,
        ...wishes,
      },
      box,
    );
  const close = async (): Promise<void> => {
    for (const id of started) await runtime.delete(id);
    await runtime.close();
    rmSync(base, { recursive: true, force: true });
  };
  return { base, root, runtime, open, request, launch, finish, shell, exec, close };
};

export type World = Awaited<ReturnType<typeof makeWorld>>;
