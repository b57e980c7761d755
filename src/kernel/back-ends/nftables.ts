/** Elements of our tables: neighbouring steps are one atomic batch. */
import type { ElementObject } from '../../plan/objects.js';
import type { Step } from '../../plan/plan.js';
import type { ElementChange, Nftables } from '../nftables.contract.js';
import { TablesWatch } from '../tables-watch.js';
import type { BackEnd } from './contract.js';

const changesOf = (step: Step<ElementObject>): readonly ElementChange[] => {
  if (step.op === 'create') return [{ op: 'add', element: step.object }];
  if (step.op === 'delete') return [{ op: 'delete', element: step.object }];
  return [
    { op: 'delete', element: step.before },
    { op: 'add', element: step.object },
  ];
};

export const nftablesBackEnd = (tables: Nftables): BackEnd<ElementObject> => {
  let watch: TablesWatch | undefined;
  return {
    together: () => true,
    run(steps, _, done) {
      tables.apply(steps.flatMap(changesOf));
      for (const step of steps) done(step);
    },
    observe: (said) => [...said, ...tables.elements()],
    present: (o) => tables.has(o),
    watch(onDrift) {
      watch?.close();
      watch = new TablesWatch(() => onDrift([{ kind: 'nftables' }]));
    },
    close() {
      watch?.close();
      tables.close();
    },
  };
};
