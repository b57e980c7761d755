/** 9,000 ports of one container, as a range and in no order, round after round: start, rm, and what memory stays. */
import { setTimeout as sleep } from 'node:timers/promises';
import { containerBody, portRange, removeContainer, scatteredPorts, startContainer } from '../../bench.js';
import { footprint } from '../../processes.js';
import type { Figure, Pair } from '../pair.js';
import type { Curve } from '../series.js';

const COUNT = 9_000;
const FIRST = 20_000;
/** for the kernel's deferred work, and until what is not used is given back (`spare-memory.ts`) */
const REST_MS = 20_000;

const MEMORY: Curve = {
  title: 'memory after rounds of 9,000 ports (PSS)',
  along: 'rounds',
  unit: 'MB',
  goal: { kind: 'timesFirst', value: 1.1 },
};
const RANGE_START: Curve = { title: 'start with a range of 9,000 ports', along: 'rounds', unit: 'ms' };
const RANGE_REMOVE: Curve = { title: 'rm with a range of 9,000 ports', along: 'rounds', unit: 'ms' };
const START: Curve = { title: 'start with 9,000 ports in no order', along: 'rounds', unit: 'ms' };
const REMOVE: Curve = { title: 'rm with 9,000 ports in no order', along: 'rounds', unit: 'ms' };

const measure = async ({ grown, empty, quick, record, say }: Pair): Promise<void> => {
  const kinds = [
    { ports: portRange(FIRST, COUNT), start: RANGE_START, remove: RANGE_REMOVE },
    { ports: scatteredPorts(FIRST, COUNT), start: START, remove: REMOVE },
  ];
  const look = async (round: number): Promise<void> => {
    await sleep(REST_MS);
    record.add(MEMORY, round, 'grown', footprint(grown.processes()).pss);
    record.add(MEMORY, round, 'empty', footprint(empty.processes()).pss);
  };
  await look(0);
  const rounds = quick ? 2 : 4;
  for (let round = 1; round <= rounds; round += 1) {
    say(`round ${round}`);
    for (const { ports, start, remove } of kinds) {
      const { id, startMs } = await startContainer(grown, containerBody('bridge', ports));
      record.add(start, round, 'grown', startMs);
      record.add(remove, round, 'grown', await removeContainer(grown, id));
    }
  }
  await look(rounds);
};

export const ports: Figure = {
  name: 'ports',
  about: '9,000 ports published and taken away again and again: time, and memory that stays',
  measure,
};
