/** A bridge network made and removed; a running container connected to it and disconnected. */
import {
  type Bench,
  containerBody,
  type Figure,
  idOf,
  inTurn,
  removeContainer,
  Samples,
  startContainer,
} from '../bench.js';
import { most, type Row } from '../row.js';

const measure = async (bench: Bench): Promise<readonly Row[]> => {
  const samples = new Samples<'create' | 'rm' | 'connect' | 'disconnect'>();
  const containers = new Map<string, string>();
  for (const engine of bench.engines)
    containers.set(engine.name, (await startContainer(engine, containerBody('bridge'))).id);
  await inTurn(bench.engines, bench.rounds(40, 6), async ({ name, api }, measured) => {
    const container = { Container: containers.get(name) };
    const made = await api('POST', '/networks/create', { Name: 'bench', Driver: 'bridge' });
    const network = `/networks/${idOf(made.json)}`;
    const connect = await api('POST', `${network}/connect`, container);
    const disconnect = await api('POST', `${network}/disconnect`, container);
    const rm = await api('DELETE', network);
    if (!measured) return;
    samples.add('create', name, made.ms);
    samples.add('connect', name, connect.ms);
    samples.add('disconnect', name, disconnect.ms);
    samples.add('rm', name, rm.ms);
  });
  for (const engine of bench.engines) await removeContainer(engine, containers.get(engine.name) ?? '');
  const row = (
    title: string,
    target: number,
    dockerdThen: number,
    key: Parameters<typeof samples.get>[0],
  ): Row => ({
    title,
    unit: 'ms',
    better: 'less',
    target: most(target, dockerdThen),
    samples: samples.get(key),
  });
  return [
    row('network create', 4, 64, 'create'),
    row('network rm', 5, 184, 'rm'),
    row('network connect, running container', 3, 32, 'connect'),
    row('network disconnect, running container', 3, 52, 'disconnect'),
  ];
};

export const networks: Figure = {
  name: 'networks',
  about: 'network create, rm, connect, disconnect',
  measure,
};
