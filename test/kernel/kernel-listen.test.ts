/** What changes in the kernel is heard: by whoever listens, as long as they do. */
import { execFileSync } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { listen } from '../../src/kernel/listen.js';
import { NETLINK } from '../../src/kernel/netlink.js';

const RTNLGRP_LINK = 1; // include/uapi/linux/rtnetlink.h
const ip = (...args: string[]): void => void execFileSync('ip', args);
const soon = { timeout: 10_000 };

const ear = (hear: () => void = () => {}) => {
  const counts = { heard: 0, lost: 0 };
  const socket = listen({
    protocol: NETLINK.ROUTE,
    groups: [RTNLGRP_LINK],
    hear: () => {
      counts.heard += 1;
      hear();
    },
    lost: () => {
      counts.lost += 1;
    },
  });
  return Object.assign(socket, { counts });
};

test('I10: one who comes while others are waited for is heard too, and who has gone hears nothing', async () => {
  const first = ear();
  ip('link', 'add', 'first', 'type', 'bridge');
  await expect.poll(() => first.counts.heard, soon).toBeGreaterThan(0);
  const second = ear();
  ip('link', 'add', 'second', 'type', 'bridge');
  await expect.poll(() => second.counts.heard, soon).toBeGreaterThan(0);
  first.close();
  first.close();
  const before = first.counts.heard;
  const heard = second.counts.heard;
  ip('link', 'add', 'third', 'type', 'bridge');
  await expect.poll(() => second.counts.heard, soon).toBeGreaterThan(heard);
  expect(first.counts.heard).toBe(before);
  second.close();
  // And anew, when all had gone.
  await pause(100);
  const third = ear();
  ip('link', 'add', 'fourth', 'type', 'bridge');
  await expect.poll(() => third.counts.heard, soon).toBeGreaterThan(0);
  third.close();
});

test('I10: what is not understood counts as lost, and the next is heard', async () => {
  const deaf = ear(() => {
    throw new Error('not understood');
  });
  ip('link', 'add', 'odd', 'type', 'bridge');
  await expect.poll(() => deaf.counts.lost, soon).toBeGreaterThan(0);
  const { heard } = deaf.counts;
  ip('link', 'add', 'even', 'type', 'bridge');
  await expect.poll(() => deaf.counts.heard, soon).toBeGreaterThan(heard);
  deaf.close();
});
