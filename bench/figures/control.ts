/** A cluster of a thousand nodes with a hundred containers each, simulated: one pass of its controllers, and what nodes are told of one change. */
import { measurePasses, measureTold, NODES, REPLICAS, SERVICES } from '../../test/sim/scale.js';
import type { Bench, Figure } from '../bench.js';
import type { Row } from '../row.js';

const OF = `${NODES} nodes, ${SERVICES} services of ${REPLICAS} tasks`;

const viaduct = (...values: readonly number[]): Row['samples'] => ({ viaduct: values, dockerd: [] });

const measure = async (bench: Bench): Promise<readonly Row[]> => {
  if (!bench.names.includes('viaduct')) return [];
  return [
    ...measurePasses().map(
      ({ what, ms }): Row => ({
        title: `a pass of the controllers: ${what}`,
        unit: 'ms',
        better: 'less',
        samples: viaduct(...ms),
        note: `${OF}; of processor`,
      }),
    ),
    ...measureTold().map(
      ({ who, bytes }): Row => ({
        title: `a task is replaced on another node; bytes for ${who}`,
        unit: 'kB',
        better: 'less',
        samples: viaduct(bytes / 1000),
        note: `${OF}, each on a network of its own; the session’s message, before TLS`,
      }),
    ),
  ];
};

export const control: Figure = {
  name: 'control',
  about: `one pass of the controllers over a simulated cluster of ${NODES} nodes, and what a node is told of a change`,
  hosts: 'own',
  measure,
};
