/** The thread that hears what changes in the kernel: its death is told, and another one takes its place. */
import { execFileSync } from 'node:child_process';
import type { Worker } from 'node:worker_threads';
import { expect, test, vi } from 'vitest';
import { listen, tellDeafness } from '../../src/kernel/listen.js';
import { NETLINK } from '../../src/kernel/netlink.js';

const threads = vi.hoisted((): Worker[] => []);
vi.mock('node:worker_threads', async (original) => {
  const real = await original<typeof import('node:worker_threads')>();
  class Seen extends real.Worker {
    constructor(...given: ConstructorParameters<typeof real.Worker>) {
      super(...given);
      threads.push(this);
    }
  }
  return { ...real, Worker: Seen };
});

const RTNLGRP_LINK = 1; // include/uapi/linux/rtnetlink.h
const ip = (...args: string[]): void => void execFileSync('ip', args);
const soon = { timeout: 10_000 };

test('I10: a thread that dies is told of; the next one says that something was not heard, and hears', async () => {
  const told: string[] = [];
  tellDeafness((message) => told.push(message));
  let [heard, lost] = [0, 0];
  const ear = listen({
    protocol: NETLINK.ROUTE,
    groups: [RTNLGRP_LINK],
    hear: () => {
      heard += 1;
    },
    lost: () => {
      lost += 1;
    },
  });
  ip('link', 'add', 'first', 'type', 'bridge');
  await expect.poll(() => heard, soon).toBeGreaterThan(0);
  expect(told).toEqual([]);
  void threads[0]?.terminate();
  ip('link', 'add', 'second', 'type', 'bridge'); // it ends when it wakes
  await expect.poll(() => lost, soon).toBe(1);
  expect(told).toEqual([expect.stringContaining('the thread that hears what changes in the kernel ended')]);
  const before = heard;
  ip('link', 'add', 'third', 'type', 'bridge');
  await expect.poll(() => heard, soon).toBeGreaterThan(before);
  expect(threads).toHaveLength(2);
  ear.close();
});
