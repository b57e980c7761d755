/**
 * Elements of our tables, published ports in no order and ports of the mesh, which are many elements each: neighbouring steps share
 * atomic batches.
 */
import {
  type Led,
  ledBy,
  ledChanges,
  ledElements,
  meshPortChanges,
  meshPortElements,
  meshPortsOf,
} from '../../firewall/index.js';
import type { MeshPortObject } from '../../plan/objects.js';
import type { Step } from '../../plan/plan.js';
import type { ElementChange, Nftables } from '../nftables.contract.js';
import { TablesWatch } from '../tables-watch.js';
import type { BackEnd } from './contract.js';

type Tabled = Led | MeshPortObject;

const portIn = (o: Tabled | undefined): MeshPortObject | undefined =>
  o?.kind === 'meshPort' ? o : undefined;
const ledIn = (o: Tabled | undefined): Led | undefined => (o?.kind === 'meshPort' ? undefined : o);

/** One behind the other. */
const batchesOf = (step: Step<Tabled>): readonly (readonly ElementChange[])[] => {
  const before = step.op === 'create' ? undefined : step.op === 'replace' ? step.before : step.object;
  const after = step.op === 'delete' ? undefined : step.object;
  return step.object.kind === 'meshPort'
    ? meshPortChanges(portIn(before), portIn(after))
    : [ledChanges(ledIn(before), ledIn(after))];
};

export const nftablesBackEnd = (tables: Nftables): BackEnd<Tabled> => {
  let watch: TablesWatch | undefined;
  return {
    together: (before, next) => (before.object.kind === 'meshPort') === (next.object.kind === 'meshPort'),
    run(steps, _, done) {
      const batches = steps.map(batchesOf);
      const most = Math.max(...batches.map(({ length }) => length));
      for (let at = 0; at < most; at += 1) {
        const changes = batches.flatMap((each) => each[at] ?? []);
        if (changes.length > 0) tables.apply(changes);
      }
      for (const step of steps) done(step);
    },
    observe(said) {
      const { ports, others } = meshPortsOf(tables.elements());
      return [...said, ...ledBy(others), ...ports];
    },
    present: (o) =>
      (o.kind === 'meshPort' ? meshPortElements(o) : ledElements(o)).every((element) => tables.has(element)),
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
