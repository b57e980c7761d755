/** The loop's watchdog, on the loop of the very process that runs the test. */
import { expect, test } from 'vitest';
import { ours, STOOD, watchLoop } from '../../src/watchdog.js';
import { until } from '../support/run.js';

interface Told {
  readonly message: string;
  readonly work: number;
  readonly waited: number;
  readonly stacks: readonly string[];
  readonly calls: readonly string[];
}

const told: Told[] = [];
const tell = (details: object, message: string): void => void told.push({ ...(details as Told), message });
watchLoop(10, { debug() {}, info() {}, warn() {}, error: tell });

const spentOnAProcessor = (): number => process.cpuUsage().user / 1000;
const holdTheLoop = (): void => {
  const began = spentOnAProcessor();
  while (spentOnAProcessor() - began < 150);
};
const sleepInTheKernel = (): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400);

/** Until a stand has been told whose stack names the function: the watching thread may come too late for one. */
const toldOf = (hold: () => void): Promise<Told> =>
  until('a stand is told with its stack', async () => {
    const before = told.length;
    hold();
    await new Promise((resolve) => setTimeout(resolve, 30));
    return told.slice(before).find(({ stacks }) => stacks.join().includes(hold.name));
  });

test('who computes is told with what was computed', async () => {
  const stand = await toldOf(holdTheLoop);
  expect(stand.message).toBe(STOOD);
  expect(stand.work).toBeGreaterThan(40);
});

test('who waits in the kernel is told, and that it was no work', async () => {
  const stand = await toldOf(sleepInTheKernel);
  expect(stand.waited).toBeGreaterThan(200);
  expect(stand.work).toBeLessThan(40);
});

/** The kernel shows the stack of another thread to whoever may administer the machine. */
test.runIf(process.getuid?.() === 0)('and in which call', async () => {
  const stand = await toldOf(sleepInTheKernel);
  expect(stand.calls.join()).toContain('futex');
});

test.each([
  ['work', { work: 60, waited: 0, starved: 500 }, 60],
  ['a wait while nobody lacked a processor', { work: 5, waited: 60, starved: 0 }, 65],
  ['a wait for as long as somebody did', { work: 5, waited: 400, starved: 400 }, 25],
  ['and longer than that', { work: 0, waited: 460, starved: 400 }, 80],
])('what counts: %s', (_, stood, counted) => {
  expect(ours(stood)).toBe(counted);
});
