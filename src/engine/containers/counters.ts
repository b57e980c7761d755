/** What a container's interfaces carried, read where the container itself would read it: /proc/<pid>/net/dev. */
import { readFileSync } from 'node:fs';
import type { InterfaceCounters } from '../../runtime/contract.js';

/** Columns of `/proc/net/dev` behind the name: eight for receiving, then eight for sending. */
const parseCounters = (text: string): Readonly<Record<string, InterfaceCounters>> =>
  Object.fromEntries(
    text
      .split('\n')
      .slice(2)
      .flatMap((line) => {
        const [name = '', figures = ''] = line.split(':', 2);
        const [rb = 0, rp = 0, re = 0, rd = 0, , , , , sb = 0, sp = 0, se = 0, sd = 0] = figures
          .trim()
          .split(/\s+/)
          .map(Number);
        if (figures === '' || name.trim() === 'lo') return [];
        const counters: InterfaceCounters = {
          receivedBytes: rb,
          receivedPackets: rp,
          receiveErrors: re,
          receiveDropped: rd,
          sentBytes: sb,
          sentPackets: sp,
          sendErrors: se,
          sendDropped: sd,
        };
        return [[name.trim(), counters]];
      }),
  );

/** undefined: the process is gone. */
export const interfaceCounters = (pid: number): Readonly<Record<string, InterfaceCounters>> | undefined => {
  try {
    return parseCounters(readFileSync(`/proc/${pid}/net/dev`, 'utf8'));
  } catch {
    return undefined;
  }
};
