/**
 * Containers that run although the record does not say so, because it was lost or is an old copy: their records are taken
 * from what lies beside them (`keepsakes.ts`). What cannot be taken stays a stray (`restore.ts`).
 */
import { conflict } from '../../errors.js';
import type { Logger } from '../../log.js';
import type { Container } from '../../model/container.js';
import { shortId } from '../../model/ids.js';
import type { Network } from '../../model/network.js';
import type { Runtime } from '../../runtime/contract.js';
import type { OpenedStore } from '../../store/store.js';
import { unsealed } from './keepsakes.js';
import type { Ledger } from './ledger.js';
import type { Model } from './model.js';
import type { Change } from './tables.js';

/** Why a network cannot be beside those that are known; undefined: it can. */
const contradiction = (model: Model, network: Network): string | undefined => {
  if (model.networkNamed(network.name))
    return `there is another network ${network.name} now, of which it has no part`;
  const overlapping = network.pools.find(({ subnet }) => model.taken.subnets.overlaps(subnet));
  return (
    overlapping && `its network ${network.name} has ${overlapping.subnet}, which is another network's now`
  );
};

/** A name that somebody else has by now is told apart by the id. */
const freeName = (model: Model, { id, name }: Container): string => {
  const holder = model.containerNamed(name);
  return holder === undefined || holder.id === id ? name : `${name}_${shortId(id)}`;
};

const renamed = (change: Change, from: string, to: string): Change => {
  if (change.table === 'container' && change.value)
    return { ...change, value: { ...change.value, name: to } };
  if (change.table === 'endpoint' && change.value)
    return {
      ...change,
      value: {
        ...change.value,
        containerName: to,
        dnsNames: change.value.dnsNames.map((name) => (name === from ? to : name)),
      },
    };
  return change;
};

/** What of a container's belongings is to be recorded beside what is known. Throws conflict where they contradict it. */
export const fitting = (model: Model, belongings: readonly Change[]): readonly Change[] => {
  const fresh = belongings.filter(({ table, id }) => table !== 'network' || !model.networks.has(id));
  for (const { table, value } of fresh) {
    const wrong = table === 'network' && value ? contradiction(model, value) : undefined;
    if (wrong !== undefined) throw conflict(wrong);
  }
  const container = fresh.flatMap((c) => (c.table === 'container' && c.value ? [c.value] : []))[0];
  if (!container) throw conflict('what lies beside it is not of a container');
  const name = freeName(model, container);
  return name === container.name ? fresh : fresh.map((change) => renamed(change, container.name, name));
};

export interface Lost {
  readonly model: Model;
  readonly ledger: Pick<Ledger, 'commit'>;
  readonly runtime: Pick<Runtime, 'strays' | 'kept'>;
  readonly log: Logger;
  /** the record is a copy, behind by some seconds: what it says does not run may run */
  readonly behind: boolean;
}

/** Before anything is made of the records. Answers the containers that were found. */
export const findLost = ({ model, ledger, runtime, log, behind }: Lost): readonly string[] => {
  const known = (id: string): boolean => {
    const container = model.containers.get(id);
    return container !== undefined && !(behind && container.sandboxId === null);
  };
  return runtime.strays(known).flatMap(({ id, pid }) => {
    const belongings = pid === 0 ? undefined : unsealed(id, runtime.kept(id));
    if (!belongings) return [];
    try {
      ledger.commit(fitting(model, belongings));
    } catch (error) {
      log.error(
        { container: id, pid, error: String(error) },
        'its record was lost, and cannot be taken back',
      );
      return [];
    }
    const container = model.getContainer(id).name;
    log.warn(
      { container, id, pid },
      'it runs, and its record was lost: that was taken from its run directory',
    );
    return [id];
  });
};

export type Opened = Pick<OpenedStore, 'quarantined' | 'restored'>;

/** What whoever asks for the daemon's state is told until its next start. `strays`: with their processes. */
export const lossWarnings = (
  { quarantined, restored }: Opened,
  found: number,
  strays: ReadonlyMap<string, number>,
): readonly string[] => [
  ...(quarantined
    ? [`the record was set aside as ${quarantined.path} at the start: ${quarantined.damage}`]
    : []),
  ...(restored
    ? [`the record was taken from a copy of ${restored.made}: it does not know what changed after that`]
    : []),
  ...(found > 0
    ? [`${found} containers ran on whose record was lost: they are known, what did not run may not be`]
    : []),
  ...[...strays].map(
    ([id, pid]) => `container ${shortId(id)} runs, and no record knows it: end it with \`kill ${pid}\``,
  ),
];
