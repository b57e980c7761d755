/** Published ports as the fewest runs. Written as plain loops: one container may name ten thousand. */
import type { PortBinding } from '../model/port.js';
import { groupBy } from './group.js';

const byPorts = (a: PortBinding, b: PortBinding): number =>
  a.hostPort - b.hostPort || a.containerPort - b.containerPort;

/** Of one protocol and address, sorted. */
const joinSorted = (bindings: readonly PortBinding[]): readonly PortBinding[] => {
  const runs: PortBinding[] = [];
  let first: PortBinding | undefined;
  let count = 0;
  for (const binding of bindings) {
    const { hostPort, containerPort } = binding;
    if (first && first.hostPort + count === hostPort && first.containerPort + count === containerPort) {
      count += binding.count;
      continue;
    }
    if (first) runs.push({ ...first, count });
    first = binding;
    count = binding.count;
  }
  if (first) runs.push({ ...first, count });
  return runs;
};

/** By a text of each, in the order of the texts. */
const grouped = <T>(all: readonly T[], textOf: (each: T) => string): (readonly [string, readonly T[]])[] =>
  [...groupBy(all, textOf)].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));

/** Joins neighbours whose host and container ports both go on by one; by protocol, address and ports. */
export const joinRuns = (bindings: readonly PortBinding[]): readonly PortBinding[] =>
  grouped(bindings, (b) => b.protocol).flatMap(([, ofProtocol]) =>
    grouped(ofProtocol, (b) => b.hostIp).flatMap(([, ofAddress]) => joinSorted([...ofAddress].sort(byPorts))),
  );
