/**
 * How long after `start` has answered on one node a container is reached from another node, over an overlay network: by who asks
 * then for the first time, and by who has been asking since before it was there. Neither node is the manager, which is told by
 * the one and tells the other.
 */
import {
  type Bench,
  containerBody,
  containerPid,
  type Figure,
  idOf,
  removeContainer,
  Samples,
  startContainer,
} from '../bench.js';
import { type Reacher, startReacher } from '../load/processes.js';
import { most, type Row } from '../row.js';
import { makeOverlay, type Swarm, withSwarms } from '../swarm.js';

const monotonic = (): number => Number(process.hrtime.bigint()) / 1e6;

const SERIES = ['new', 'waiting'] as const;
type Series = (typeof SERIES)[number];

const NETWORK = 'reached';
const SUBNET = '10.99.0';
/** The neighbour has the first. */
const FIRST_HOST = 10;

interface Ready {
  readonly swarm: Swarm;
  readonly reacher: Reacher;
}

const prepare = async (swarm: Swarm): Promise<Ready> => {
  await makeOverlay(swarm, NETWORK, `${SUBNET}.0/24`);
  const asking = swarm.node(3);
  const { id } = await startContainer(asking, containerBody(NETWORK));
  // So that the network is there on the other node, too: the first container of a node waits for it.
  await startContainer(swarm.node(2), containerBody(NETWORK));
  return { swarm, reacher: await startReacher(`/proc/${await containerPid(asking, id)}/ns/net`) };
};

/** Milliseconds from the answer of start to the first answer of the container; 0: it answered before. */
const reachOnce = async ({ swarm, reacher }: Ready, series: Series, address: string): Promise<number> => {
  const { api } = swarm.node(2);
  const made = await api('POST', '/containers/create', containerBody(NETWORK, {}, address));
  const id = idOf(made.json);
  const early = series === 'waiting' ? reacher.firstAnswer(address) : undefined;
  await api('POST', `/containers/${id}/start`);
  const started = monotonic();
  const answered = await (early ?? reacher.firstAnswer(address));
  await removeContainer(swarm.node(2), id);
  return Math.max(0, answered - started);
};

const measure = (bench: Bench): Promise<readonly Row[]> =>
  withSwarms(bench, 3, async (swarms) => {
    const samples = new Samples<Series>();
    const ready: Ready[] = [];
    for (const swarm of swarms) ready.push(await prepare(swarm));
    try {
      // An address each, as a neighbour who has been there before is known.
      let host = FIRST_HOST;
      for (let round = -1; round < bench.rounds(30, 8); round += 1)
        for (const series of SERIES) {
          host += 1;
          for (const each of ready) {
            const ms = await reachOnce(each, series, `${SUBNET}.${host}`);
            if (round >= 0) samples.add(series, each.swarm.name, ms);
          }
        }
    } finally {
      for (const { reacher } of ready) reacher.stop();
    }
    const row = (title: string, series: Series): Row => ({
      title,
      unit: 'ms',
      better: 'less',
      target: most(50),
      samples: samples.get(series),
      note: 'between two workers; from the answer of start to the first answer of the container to a datagram each millisecond',
    });
    return [
      row('container started, reached from another node', 'new'),
      row('… by a neighbour that has been asking for it', 'waiting'),
    ];
  });

export const reach: Figure = {
  name: 'reach',
  about: 'how soon a started container is reached from another host, over an overlay network',
  hosts: 'own',
  measure,
};
