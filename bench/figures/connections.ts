/**
 * New connections per second from outside, through the veth of the daemon's machine, to a published port: with that one
 * published and with many others. A connection is made and ended by load/connect.ts and taken by load/accept.ts inside
 * the container, alike for both engines.
 */

import { HOST } from '../../test/support/world.js';
import {
  type Bench,
  containerBody,
  containerPid,
  type Figure,
  type Ports,
  portRange,
  removeContainer,
  Samples,
  scatteredPorts,
  startContainer,
} from '../bench.js';
import type { Engine } from '../engine.js';
import { type Acceptor, type Connector, startAcceptor, startConnector } from '../load/processes.js';
import { least, type Row } from '../row.js';

const PORT = 8080;
const FIRST = 20_000;

interface Load {
  readonly engine: Engine;
  readonly connector: Connector;
  readonly acceptor: Acceptor;
  readonly container: string;
}

const prepare = async (engine: Engine): Promise<Load> => {
  const { id } = await startContainer(
    engine,
    containerBody('bridge', { '80/tcp': [{ HostPort: `${PORT}` }] }),
  );
  const acceptor = await startAcceptor(`/proc/${await containerPid(engine, id)}/ns/net`, 80);
  const connector = await startConnector(engine.world.netns.outside, HOST.ipv4, PORT);
  return { engine, connector, acceptor, container: id };
};

/** Connections per second alone, then beside `others`, then alone again: what drifts meanwhile cancels out. */
const compare = async ({ engine, connector }: Load, others: Ports, seconds: number, turns: number) => {
  const alone: number[] = [];
  const beside: number[] = [];
  const measureAlone = async () => alone.push(await connector.perSecond(seconds));
  await measureAlone();
  const { id } = await startContainer(engine, containerBody('bridge', others));
  for (let turn = 0; turn < turns; turn += 1) beside.push(await connector.perSecond(seconds));
  await removeContainer(engine, id);
  await measureAlone();
  const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
  return { alone: mean(alone), beside: mean(beside) };
};

const VIADUCT_KINDS = [
  { key: 'range', ports: portRange(FIRST, 10_000) },
  { key: 'scattered', ports: scatteredPorts(FIRST, 10_000) },
] as const;

const measure = async (bench: Bench): Promise<readonly Row[]> => {
  const samples = new Samples<string>();
  const seconds = bench.quick ? 0.5 : 1;
  const many = bench.quick ? 100 : 1_000;
  const loads: Load[] = [];
  for (const engine of bench.engines) loads.push(await prepare(engine));
  try {
    for (const { connector } of loads) await connector.perSecond(1); // conntrack fills up to its steady size
    for (let round = 0; round < bench.rounds(8, 3); round += 1)
      for (const load of loads) {
        const { name } = load.engine;
        if (name === 'dockerd' && round > 0) {
          samples.add('alone', name, await load.connector.perSecond(seconds));
          continue;
        }
        const kinds =
          name === 'dockerd' ? [{ key: 'dockerd', ports: portRange(FIRST, many) }] : VIADUCT_KINDS;
        for (const { key, ports } of kinds) {
          bench.say(`${name}: connections beside ${Object.keys(ports).length} ports`);
          const { alone, beside } = await compare(load, ports, seconds, 2);
          samples.add('alone', name, alone);
          samples.add(key, name, beside);
          samples.add(`kept ${key}`, name, (100 * beside) / alone);
        }
      }
  } finally {
    for (const { engine, connector, acceptor, container } of loads) {
      connector.stop();
      acceptor.stop();
      await removeContainer(engine, container);
    }
  }
  const rate = (title: string, ours: string, theirs: string, note?: string): Row => ({
    title,
    unit: '1/s',
    better: 'more',
    samples: { viaduct: samples.get(ours).viaduct, dockerd: samples.get(theirs).dockerd },
    ...(note ? { note } : {}),
  });
  const kept = (title: string, key: string, more: Partial<Row>): Row => ({
    title,
    unit: '%',
    better: 'more',
    target: least(95),
    samples: { viaduct: samples.get(`kept ${key}`).viaduct, dockerd: samples.get('kept dockerd').dockerd },
    ...more,
  });
  const fewer = { note: `${many} others on dockerd, one round` };
  return [
    rate(
      'new connections, one port published',
      'alone',
      'alone',
      'by the median batch of 64, one client process',
    ),
    rate('new connections, 10,000 others published as a range', 'range', 'dockerd', fewer.note),
    kept('… of what they are with one port', 'range', fewer),
    rate('new connections, 10,000 others published in no order', 'scattered', 'dockerd', fewer.note),
    kept('… of what they are with one port (no order)', 'scattered', fewer),
  ];
};

export const connections: Figure = {
  name: 'connections',
  about: 'new connections per second through a published port, alone and beside 10,000 others',
  measure,
};
