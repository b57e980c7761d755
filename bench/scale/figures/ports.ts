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
  floor: {
    of: 'empty',
    why: 'a heap that has been as large once keeps pages with what lives among them; it does not grow from round to round',
  },
};
const ELEMENTS: Curve = {
  title: 'by hand: 9,000 elements added to a map (nft)',
  along: 'rounds',
  unit: 'ms',
};
const SCATTERED: Curve = {
  title: 'start with 9,000 ports in no order, by that with a range',
  along: 'rounds',
  unit: '×',
  goal: { kind: 'most', value: 1.5 },
  floor: {
    of: [ELEMENTS],
    why: 'a range is one element of the firewall and one binding of the record; in no order each port is an element, a row and a socket of its own',
  },
};
const RANGE_START: Curve = { title: 'start with a range of 9,000 ports', along: 'rounds', unit: 'ms' };
const RANGE_REMOVE: Curve = { title: 'rm with a range of 9,000 ports', along: 'rounds', unit: 'ms' };
const START: Curve = { title: 'start with 9,000 ports in no order', along: 'rounds', unit: 'ms' };
const REMOVE: Curve = { title: 'rm with 9,000 ports in no order', along: 'rounds', unit: 'ms' };

/** As many as the engine adds in one transaction; without nft's own start. */
const elementsByHand = async ({ world }: Pair['grown']): Promise<number> => {
  const timed = async (input: string): Promise<number> => {
    const begin = performance.now();
    await world.host('nft -f -', { input });
    return performance.now() - begin;
  };
  const declared = await timed(
    'add table inet hand\nadd map inet hand led { type inet_proto . inet_service : ipv4_addr . inet_service; }\n',
  );
  const elements = Array.from({ length: COUNT }, (_, i) => `tcp . ${FIRST + i} : 172.31.0.2 . ${i + 1}`);
  const added = await timed(`add element inet hand led { ${elements.join(', ')} }\n`);
  await world.host('nft delete table inet hand');
  return Math.max(0, added - declared);
};

const measure = async ({ grown, empty, quick, record, say }: Pair): Promise<void> => {
  const kinds = [
    { ports: portRange(FIRST, COUNT), start: RANGE_START, remove: RANGE_REMOVE },
    { ports: scatteredPorts(FIRST, COUNT), start: START, remove: REMOVE },
  ];
  // Some looks, as a collection may be under way.
  const look = async (round: number): Promise<void> => {
    for (const rest of [REST_MS, REST_MS / 4, REST_MS / 4]) {
      await sleep(rest);
      record.add(MEMORY, round, 'grown', footprint(grown.processes()).pss);
      record.add(MEMORY, round, 'empty', footprint(empty.processes()).pss);
    }
  };
  // What a daemon that has never started a container has not compiled yet is not what ports leave behind.
  await removeContainer(
    grown,
    (await startContainer(grown, containerBody('bridge', portRange(FIRST, 1)))).id,
  );
  await look(0);
  const rounds = quick ? 2 : 4;
  for (let round = 1; round <= rounds; round += 1) {
    say(`round ${round}`);
    const took: number[] = [];
    for (const { ports, start, remove } of kinds) {
      const { id, startMs } = await startContainer(grown, containerBody('bridge', ports));
      took.push(startMs);
      record.add(start, round, 'grown', startMs);
      record.add(remove, round, 'grown', await removeContainer(grown, id));
    }
    const [range = 1, scattered = 0] = took;
    record.add(SCATTERED, round, 'grown', scattered / range);
    record.add(ELEMENTS, round, 'grown', await elementsByHand(grown));
  }
  await look(rounds);
};

export const ports: Figure = {
  name: 'ports',
  about: '9,000 ports published and taken away again and again: time, and memory that stays',
  measure,
};
