/**
 * `npm run soak`: many clients, dying connections, floods and a daemon that is killed again and again, on a machine made of
 * namespaces. Ends with 0 where no forbidden packet went through, everything could be removed, nothing was left behind,
 * and the daemon's memory stayed flat; else with 1. Needs root and the test images; minutes of both processors.
 *
 * Two thirds of the time the daemon is killed every 20 s; in the last third one daemon lives, and its memory is watched.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command } from 'commander';
import { ROOT, startDaemon, type TestDaemon } from '../../test/support/daemon.js';
import setup from '../../test/support/e2e-setup.js';
import { kernelState } from '../../test/support/kernel-state.js';
import { makeCast, probe } from './cast.js';
import { startClients } from './clients.js';

const KILL_EVERY_MS = 20_000;
const SAMPLE_EVERY_MS = 5_000;
/** A heap grows and shrinks by itself: what is more than this between the quarters' medians is growth. MiB. */
const GROWTH = 24;
const JUDGED_MS = 15 * 60_000;

interface Sample {
  readonly seconds: number;
  readonly rss: number;
  readonly pss: number;
  readonly descriptors: number;
}

const sampleOf = (pid: number, begin: number): Sample => {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const mib = (field: string): number =>
    Math.round(Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(rollup)?.[1] ?? 0) / 1024);
  const slots = /^FDSize:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return {
    seconds: Math.round((Date.now() - begin) / 1000),
    rss: mib('Rss'),
    pss: mib('Pss'),
    descriptors: Number(slots),
  };
};

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** Kills and restarts it until `until`; a daemon that ends by itself is a finding. */
const torment = async (d: TestDaemon, until: number, findings: string[]): Promise<number> => {
  let kills = 0;
  while (Date.now() < until) {
    const ended = await Promise.race([d.ended(), sleep(Math.min(KILL_EVERY_MS, until - Date.now()))]);
    if (ended !== undefined) findings.push(`the daemon ended by itself: ${ended}`);
    else await d.kill9();
    await d.start();
    kills += 1;
  }
  return kills;
};

/** One daemon, watched. */
const watch = async (
  d: TestDaemon,
  begin: number,
  until: number,
  findings: string[],
): Promise<readonly Sample[]> => {
  const samples: Sample[] = [];
  const pid = d.pid();
  while (Date.now() < until) {
    const ended = await Promise.race([d.ended(), sleep(SAMPLE_EVERY_MS)]);
    if (ended !== undefined) {
      findings.push(`the daemon ended by itself: ${ended}`);
      await d.start();
      return samples;
    }
    samples.push(sampleOf(pid, begin));
  }
  return samples;
};

/** Everything of the clients' and of the cast's, taken away; what does not go is a finding. */
const clear = async (d: TestDaemon, findings: string[]): Promise<void> => {
  const containers = (await d.api('GET', '/containers/json?all=1')).json as readonly {
    Id: string;
    Names: string[];
    Status: string;
  }[];
  const networks = (await d.api('GET', '/networks')).json as readonly { Id: string; Name: string }[];
  for (const { Id, Names, Status } of containers) {
    const { status, text } = await d
      .api('DELETE', `/containers/${Id}?force=1&v=1`)
      .catch((error: Error) => ({ status: 0, text: error.message }));
    if (status !== 204) findings.push(`stuck container ${Names[0]} (${Status}): ${text.trim()}`);
  }
  for (const { Id, Name } of networks.filter(({ Name }) => !['bridge', 'host', 'none'].includes(Name))) {
    const { status, text } = await d
      .api('DELETE', `/networks/${Id}`)
      .catch((error: Error) => ({ status: 0, text: error.message }));
    if (status !== 204) findings.push(`stuck network ${Name}: ${text.trim()}`);
  }
};

/** Without what counts packets: that is what it is for. */
const settledState = async (d: TestDaemon): Promise<readonly string[]> =>
  (await kernelState(d)).map((line) => line.replace(/packets \d+ bytes \d+/, 'packets … bytes …'));

const readOptions = (): { minutes: number; clients: number; seed: number } => {
  const { minutes, clients, seed } = new Command('npm run soak --')
    .option('--minutes <number>', 'how long', '30')
    .option('--clients <number>', 'how many at a time', '24')
    .option('--seed <number>', 'of the generated operations', String(Date.now() % 1e6))
    .parse()
    .opts<{ minutes: string; clients: string; seed: string }>();
  return { minutes: Number(minutes), clients: Number(clients), seed: Number(seed) };
};

const table = (title: string, counts: ReadonlyMap<string, number>): void => {
  say(`\n${title}`);
  for (const [key, value] of [...counts].sort(([a], [b]) => a.localeCompare(b)))
    say(`  ${String(value).padStart(7)}  ${key}`);
};

const run = async (): Promise<number> => {
  const { minutes, clients: count, seed } = readOptions();
  setup();
  const findings: string[] = [];
  const d = await startDaemon({ images: ['alpine', 'nettools'] });
  const before = await settledState(d);
  const flows = await makeCast(d);
  say(`soak: ${minutes} min, ${count} clients, seed ${seed}, daemon's log ${d.world.base}/daemon.log`);
  const begin = Date.now();
  const end = begin + minutes * 60_000;
  const probing = probe(flows);
  const clients = startClients(d, count, seed);
  const kills = await torment(d, begin + (end - begin) * (2 / 3), findings);
  const samples = await watch(d, begin, end, findings);
  await clients.stop();
  probing.stop();
  await clear(d, findings);
  const after = await settledState(d);
  for (const line of after) if (!before.includes(line)) findings.push(`left behind: ${line}`);
  for (const line of before) if (!after.includes(line)) findings.push(`missing: ${line}`);

  table('operations', clients.counts);
  table('complaints (5xx and silence)', clients.complaints);
  for (const key of clients.complaints.keys()) if (key.includes('not answered')) findings.push(key);
  say(`\nflows (${kills} kills)`);
  for (const { flow, tries, answers } of probing.tallies) {
    say(`  ${flow.forbidden ? 'forbidden' : 'allowed  '}  ${answers} of ${tries}  ${flow.name}`);
    if (flow.forbidden && answers > 0) findings.push(`${answers} forbidden answers: ${flow.name}`);
    if (tries === 0 || (!flow.forbidden && answers === 0))
      findings.push(`probe without effect: ${flow.name}`);
  }
  say('\nmemory of one daemon (s, RSS MiB, PSS MiB, descriptor slots)');
  for (const { seconds, rss, pss, descriptors } of samples)
    say(`  ${String(seconds).padStart(5)}  ${rss}  ${pss}  ${descriptors}`);
  // The first quarter is warming up.
  const quarter = Math.floor(samples.length / 4);
  const [early, late] = [samples.slice(quarter, 2 * quarter), samples.slice(3 * quarter)].map((part) =>
    median(part.map(({ pss }) => pss)),
  );
  say(`  PSS, second quarter ${early} MiB, last quarter ${late} MiB`);
  if (end - begin < JUDGED_MS) say('  too short a run to judge: a fresh heap grows for minutes');
  else if ((late ?? 0) > (early ?? 0) + GROWTH) findings.push(`memory grew from ${early} to ${late} MiB`);
  const log = d.log();
  const uncaught = log.split('\n').filter((line) => /uncaught|nobody heard it/.test(line));
  for (const line of uncaught.slice(0, 5)) findings.push(`log: ${line.slice(0, 1000)}`);
  await d.stop().catch((error: Error) => void findings.push(`after the daemon's end: ${error.message}`));
  say(findings.length === 0 ? '\nnothing found' : `\nFOUND ${findings.length}`);
  for (const finding of findings) say(`  ${finding}`);
  if (findings.length > 0) {
    const kept = join(ROOT, `.cache/soak-${seed}.log`);
    writeFileSync(kept, log);
    say(`the daemon's log: ${kept}`);
  }
  return findings.length === 0 ? 0 : 1;
};

process.exit(await run());
