/** What a container's interfaces carried, read from its first process's view of /proc/net/dev. */

import { readFileSync, readlinkSync } from 'node:fs';
import { attempt } from '../errors.js';
import type { InterfaceCounters } from './contract.js';

/** Columns of /proc/net/dev (`net/core/net-procfs.c`): eight of receiving, eight of sending. */
export const parseInterfaces = (text: string): Readonly<Record<string, InterfaceCounters>> =>
  Object.fromEntries(
    text.split('\n').flatMap((line) => {
      const match = /^\s*([^:\s]+):\s*(.*)$/.exec(line);
      const name = match?.[1];
      if (!name || name === 'lo') return [];
      const n = (match[2] ?? '').split(/\s+/).map(Number);
      const at = (column: number) => n[column] ?? 0;
      return [
        [
          name,
          {
            receivedBytes: at(0),
            receivedPackets: at(1),
            receiveErrors: at(2),
            receiveDropped: at(3),
            sentBytes: at(8),
            sentPackets: at(9),
            sendErrors: at(10),
            sendDropped: at(11),
          },
        ],
      ];
    }),
  );

/** Undefined where it has no network of its own, or is gone. */
export const interfacesOf = (pid: number): Readonly<Record<string, InterfaceCounters>> | undefined =>
  attempt(() => {
    if (readlinkSync(`/proc/${pid}/ns/net`) === readlinkSync('/proc/self/ns/net')) return undefined;
    return parseInterfaces(readFileSync(`/proc/${pid}/net/dev`, 'latin1'));
  });
