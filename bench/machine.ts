/** The machine's facts for the report, and what the benchmark needs to be there. */
import {
  closeSync,
  existsSync,
  fdatasyncSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { cpus, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { CLIENTS, IMAGES, ROOT } from '../test/support/daemon.js';
import { attempt, run } from '../test/support/run.js';
import { median } from './statistics.js';

export interface Machine {
  readonly date: string;
  readonly kernel: string;
  readonly distribution: string;
  readonly processor: string;
  /** the processor is QEMU's software, its clock counts instructions (scripts/vm/boot.sh): ratios are of instructions */
  readonly emulated: boolean;
  readonly cores: number;
  readonly memoryGb: number;
  readonly node: string;
  readonly client: string;
  readonly commit: string;
  /** processes waiting for a core, mean of the last minute, when it began */
  readonly load: string;
  /** median of 4 KiB written and fdatasync(2)ed where the data roots are, milliseconds: part of every durable command */
  readonly syncMs: number;
}

const firstMatch = (path: string, pattern: RegExp): string =>
  pattern.exec(readFileSync(path, 'utf8'))?.[1] ?? '?';

const syncMs = (): number => {
  const directory = mkdtempSync(join(tmpdir(), 'viaduct-sync-'));
  const fd = openSync(join(directory, 'file'), 'w');
  const page = Buffer.alloc(4096, 1);
  try {
    return median(
      Array.from({ length: 40 }, () => {
        const begin = performance.now();
        writeSync(fd, page, 0, page.length, 0);
        fdatasyncSync(fd);
        return performance.now() - begin;
      }),
    );
  } finally {
    closeSync(fd);
    rmSync(directory, { recursive: true });
  }
};

/** Of a guest (`npm run bench:vm`), which has no git, the host says it. */
const commit = async (): Promise<string> =>
  process.env.BENCH_COMMIT ??
  (await attempt('git', ['-C', ROOT, 'describe', '--always', '--dirty'])).stdout.trim();

const processor = (): string => cpus()[0]?.model ?? '?';

export const readMachine = async (client: string): Promise<Machine> => ({
  date: new Date().toISOString(),
  kernel: release(),
  distribution: firstMatch('/etc/os-release', /PRETTY_NAME="(.*)"/),
  processor: processor(),
  emulated: processor().startsWith('QEMU TCG'),
  cores: cpus().length,
  memoryGb: Math.round(totalmem() / 1e9),
  node: process.version,
  client: await run(client, ['--version']),
  commit: await commit(),
  load: firstMatch('/proc/loadavg', /^(\S+)/),
  syncMs: syncMs(),
});

interface Need {
  readonly package: string;
  readonly program: string;
}

const RUNTIME: readonly Need[] = [
  { package: 'conmon', program: '/usr/bin/conmon' },
  { package: 'crun', program: '/usr/bin/crun' },
  { package: 'skopeo', program: '/usr/bin/skopeo' },
  { package: 'nftables', program: '/usr/sbin/nft' },
  { package: 'iproute2', program: '/usr/sbin/ip' },
];
export const DOCKERD: Need = { package: 'docker.io', program: '/usr/sbin/dockerd' };
export const DNSPERF: Need = { package: 'dnsperf', program: '/usr/bin/dnsperf' };
export const IPERF: Need = { package: 'iperf3', program: '/usr/bin/iperf3' };

/** Names what is missing and the command that brings it; nothing is installed unasked. */
export const missing = (needs: readonly Need[]): string | undefined => {
  const absent = [...RUNTIME, ...needs].filter(({ program }) => !existsSync(program));
  if (absent.length === 0) return undefined;
  const packages = absent.map((need) => need.package).join(' ');
  return `The benchmark needs Debian's ${packages}: apt-get install --no-install-recommends ${packages}`;
};

/** The client to measure with; undefined where there is none. */
export const dockerClient = (): string | undefined => CLIENTS[0];

const IMAGE = join(IMAGES, 'alpine.tar');

/** The test images, made by the project's script where they are not there yet. */
export const testImages = async (): Promise<readonly string[]> => {
  if (!existsSync(IMAGE))
    await run(join(ROOT, 'node_modules/.bin/tsx'), [join(ROOT, 'scripts/images/build-test-images.ts')], {
      timeoutMs: 600_000,
    });
  return [IMAGE];
};

/** A fresh build into dist/, unless VIADUCT_DIST names one. Rejects with the compiler's words. */
export const build = async (): Promise<void> => {
  if (process.env.VIADUCT_DIST !== undefined) return;
  await run('npm', ['--prefix', ROOT, 'run', 'build'], { timeoutMs: 300_000 });
};
