/**
 * DNS answers per second at 127.0.0.11:53 as a process in a given network namespace sees them, dockerd's resolver and
 * ours alike. The load is dnsperf's (Debian package `dnsperf`): on two cores a generator in JavaScript would be what is
 * measured.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface DnsLoad {
  /** path of the namespace: `/proc/<pid>/ns/net` or a bind-mounted one */
  readonly netns: string;
  /** name that is asked for (type A) */
  readonly name: string;
  readonly server?: string;
  readonly port?: number;
  /** default 3 */
  readonly seconds?: number;
  /** sockets the questions come from, default 4 */
  readonly clients?: number;
  /** questions under way at any time, default 200 */
  readonly inFlight?: number;
}

export interface DnsFigures {
  readonly answersPerSecond: number;
  readonly answered: number;
  readonly lost: number;
  /** mean, milliseconds */
  readonly latency: number;
  /** share of answers with NOERROR, 0–1 */
  readonly good: number;
}

const figure = (output: string, pattern: RegExp): number => Number(pattern.exec(output)?.[1] ?? Number.NaN);

const parse = (output: string): DnsFigures => ({
  answersPerSecond: figure(output, /Queries per second:\s+([\d.]+)/),
  answered: figure(output, /Queries completed:\s+(\d+)/),
  lost: figure(output, /Queries lost:\s+(\d+)/),
  latency: figure(output, /Average Latency \(s\):\s+([\d.]+)/) * 1000,
  good: figure(output, /NOERROR \d+ \(([\d.]+)%\)/) / 100,
});

/** Throws where dnsperf is missing or nothing answered. */
export const measureDns = async (load: DnsLoad): Promise<DnsFigures> => {
  const directory = mkdtempSync(join(tmpdir(), 'viaduct-dns-'));
  const questions = join(directory, 'questions');
  try {
    writeFileSync(questions, `${load.name} A\n`);
    const { stdout } = await run('nsenter', [
      `--net=${load.netns}`,
      'dnsperf',
      ...['-s', load.server ?? '127.0.0.11', '-p', String(load.port ?? 53), '-d', questions],
      ...[
        '-l',
        String(load.seconds ?? 3),
        '-c',
        String(load.clients ?? 4),
        '-q',
        String(load.inFlight ?? 200),
      ],
    ]);
    const figures = parse(stdout);
    if (!(figures.answered > 0)) throw new Error(`no DNS answers: ${stdout.slice(-500)}`);
    return figures;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
};
