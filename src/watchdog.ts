/**
 * Reports each time that one turn of the event loop took too long, and in which functions it stood. The API, the resolver of every container and the relay share
 * that loop: while one function runs, all others wait.
 *
 * A timer beats on the main thread. When a beat comes late, the kernel tells what the thread did since the last one:
 *
 *   work     it ran, in our code or in the kernel's
 *   waited   it slept in a system call: for a disk, a lock of the kernel's, a process that was to start
 *   queued   it could have run, but others had the processors: no fault of ours, and not counted
 *   starved  for so long somebody of the whole machine lacked a processor, or waited for a disk (pressure stall information, which is a
 *            mean of the processors: what was lacking on one of two counts half there, and whole here), or the machine itself had none, as
 *            it is a virtual one (steal: a thread that runs on a processor which does not is neither at work nor queued)
 *
 * What it waited for may have been among those. So `waited` counts as far as it is longer than `starved`; of the rest a
 * twentieth counts. Meanwhile a worker looks at the beats. When they stop, it asks the main thread through the inspector to note its stack.
 * V8 does that between two functions of JavaScript, so of a long system call one sees who made it, or who came next. What the call
 * waited for is told by the kernel's own stack of the thread, which the worker reads at once.
 *
 * It costs a thread, some 10 MB and a hundred wake-ups a second. So it is there only where it is asked for: in every
 * end-to-end test, and by VIADUCT_LOOP_LIMIT=50 (milliseconds) in the environment of any daemon.
 */
import { openSync, readSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Logger } from './log.js';

export const STOOD = 'the event loop stood';

/** milliseconds between two beats; by so much a stand can be longer than it is told */
const BEAT = 10;
/** Of so many milliseconds waited on a busy machine one is counted. */
const BUSY = 20;
/** milliseconds of a tick of /proc/stat's (USER_HZ, which is 100 to all programs) */
const TICK = 10;
/** frames of a stack */
const FRAMES = 40;
/** bytes for the kernel's stacks of one stand: some ten of them */
const KERNEL_BYTES = 8192;
/** The worker knows the function that notes the stack by this name. */
const NOTE = '__viaductNotesItsStack';

/** Looks 20, 40, 80… ms after the last beat: a stand has one culprit or many. */
const WATCHER = `
const { workerData: { beats, kernel, period, note } } = require('node:worker_threads');
const { readFileSync } = require('node:fs');
const { Session } = require('node:inspector');
const BEATS = 0, LENGTH = 1;
const noteKernel = () => {
  let text;
  try {
    text = readFileSync('/proc/self/task/' + process.pid + '/stack', 'latin1');
  } catch {
    return;
  }
  const frames = [...text.matchAll(/^\\S+ (\\w+)/gm)].map(([, name]) => name).join(' ');
  const at = Atomics.load(beats, LENGTH);
  const bytes = Buffer.from(frames + '\\n');
  if (at + bytes.length > kernel.length) return;
  kernel.set(bytes, at);
  Atomics.compareExchange(beats, LENGTH, at, at + bytes.length);
};
let seen = 0;
let looks = 0;
setInterval(() => {
  const beat = Atomics.load(beats, BEATS);
  looks = beat === seen ? looks + 1 : 0;
  seen = beat;
  if (looks < 2 || (looks & (looks - 1)) !== 0) return;
  noteKernel();
  const session = new Session();
  session.connectToMainThread();
  session.post('Runtime.evaluate', { expression: note + '()' }, () => session.disconnect());
}, period);`;

/** Milliseconds since some moment. */
interface Spent {
  readonly at: number;
  readonly work: number;
  readonly queued: number;
  readonly starved: number;
}

/** The file's text, opened once; empty where there is none. */
const reader = (path: string): (() => string) => {
  const bytes = Buffer.alloc(256);
  try {
    const file = openSync(path, 'r');
    return () => bytes.toString('latin1', 0, readSync(file, bytes, 0, bytes.length, 0));
  } catch {
    return () => '';
  }
};

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

/** What the calling thread has spent until now. A kernel without CONFIG_SCHED_INFO tells the time alone, one without CONFIG_PSI 0. */
const createSpent = (): (() => Spent) => {
  const schedstat = reader('/proc/thread-self/schedstat');
  const pressures = [reader('/proc/pressure/cpu'), reader('/proc/pressure/io')];
  const ticks = reader('/proc/stat');
  const processors = availableParallelism();
  return () => {
    const [work = 0, queued = 0] = schedstat().split(' ').map(Number);
    const starved = pressures.map((read) => Number(/^some .*total=(\d+)/.exec(read())?.[1] ?? 0));
    const stolen = Number(/^cpu +(?:\d+ ){7}(\d+)/.exec(ticks())?.[1] ?? 0);
    return {
      at: performance.now(),
      work: work / 1e6,
      queued: queued / 1e6,
      starved: (sum(starved) * processors) / 1e3 + stolen * TICK,
    };
  };
};

/** Between two beats; whole milliseconds. */
const since = (last: Spent, now: Spent) => {
  const [work, queued] = [now.work - last.work, now.queued - last.queued];
  const waited = Math.max(0, now.at - last.at - BEAT - work - queued);
  const starved = now.starved - last.starved;
  return {
    work: Math.round(work),
    waited: Math.round(waited),
    queued: Math.round(queued),
    starved: Math.round(starved),
  };
};

/** Milliseconds of it that are ours. */
export const ours = ({ work, waited, starved }: Omit<ReturnType<typeof since>, 'queued'>): number => {
  const excused = Math.min(waited, starved);
  return work + (waited - excused) + excused / BUSY;
};

/** The frames below the one that the worker's request added. */
const stackNow = (): string => {
  const former = Error.stackTraceLimit;
  Error.stackTraceLimit = FRAMES;
  const holder = { stack: '' };
  Error.captureStackTrace(holder, stackNow);
  Error.stackTraceLimit = former;
  const frames = holder.stack.split('\n').slice(1);
  return frames.slice(frames.findIndex((frame) => frame.includes('<anonymous>:1:1')) + 1).join('\n');
};

/** Tells from now on of each time that the loop stood for more than `limit` milliseconds. */
export const watchLoop = (limit: number, log: Logger): void => {
  /** how many beats there were, and how many bytes of `kernel` are told */
  const beats = new Int32Array(new SharedArrayBuffer(8));
  const kernel = new Uint8Array(new SharedArrayBuffer(KERNEL_BYTES));
  const stacks = new Set<string>();
  const spent = createSpent();
  let last = spent();

  Reflect.set(globalThis, NOTE, () => {
    const stack = stackNow();
    if (stack !== '') stacks.add(stack);
  });
  const beat = (): void => {
    Atomics.add(beats, 0, 1);
    const now = spent();
    const stood = since(last, now);
    last = now;
    const length = Atomics.exchange(beats, 1, 0);
    if (ours(stood) > limit) {
      const waits = Buffer.from(kernel.subarray(0, length)).toString('latin1').split('\n');
      const calls = [...new Set(waits.filter((wait) => wait !== ''))];
      log.error({ ...stood, stacks: [...stacks], calls }, STOOD);
    }
    if (stacks.size > 0) stacks.clear();
  };
  setInterval(beat, BEAT).unref();
  new Worker(WATCHER, { eval: true, workerData: { beats, kernel, period: BEAT, note: NOTE } })
    .on('error', (error) => log.error({ error: String(error) }, 'nobody notes which functions hold the loop'))
    .unref();
};
