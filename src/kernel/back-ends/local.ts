/** What the daemon itself holds: ports and resolvers, each made and closed by who has its sockets. */
import { KernelError } from '../../errors.js';
import { movesFlows } from '../../plan/kinds/local.js';
import type { KernelObject, KindOf, ObjectOf } from '../../plan/objects.js';
import type { Step } from '../../plan/plan.js';
import { forgetFlows } from '../conntrack.js';
import type { LocalObjects } from '../contract.js';
import type { BackEnd } from './contract.js';

type Kind = KindOf<'local'>;
export type LocalRows = { readonly [K in Kind]: LocalObjects<ObjectOf<K>> };

const replace = <T extends KernelObject>(objects: LocalObjects<T>, o: T, before: T): void => {
  objects.delete(before);
  try {
    objects.create(o);
  } catch (error) {
    objects.create(before);
    throw error;
  }
};

const carryOut = <T extends KernelObject>(objects: LocalObjects<T>, step: Step<T>): void => {
  if (step.op === 'replace') replace(objects, step.object, step.before);
  else objects[step.op](step.object);
};

/** A kernel without ctnetlink keeps its flows; the plan itself is done. */
const forgetFlowsTo = ({ protocol, port, count, address }: ObjectOf<'hostport'>): void => {
  try {
    forgetFlows({ protocol, port, count, address });
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
  }
};

export const localBackEnd = (rows: LocalRows): BackEnd<ObjectOf<Kind>> => {
  /** The table pairs each kind with the row of exactly that kind. */
  const rowOf = (o: ObjectOf<Kind>) => rows[o.kind] as LocalObjects<ObjectOf<Kind>>;
  const all: readonly Pick<LocalObjects<ObjectOf<Kind>>, 'list'>[] = Object.values(rows);
  return {
    run([step], _, done) {
      if (!step) return;
      carryOut(rowOf(step.object), step);
      done(step);
    },
    observe: (said) => [...said, ...all.flatMap((row) => row.list())],
    present: (o) => rowOf(o).has(o),
    follow(plan) {
      for (const { object } of plan)
        if (object.kind === 'hostport' && movesFlows(object)) forgetFlowsTo(object);
    },
  };
};
