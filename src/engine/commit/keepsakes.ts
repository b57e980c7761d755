/**
 * The last copy of the record: beside each running container, in its run directory, lies all that is recorded of it and of
 * the networks that it is on. Where the record and its copies are lost, what runs is known from there, whole: its name,
 * addresses, ports, networks.
 */
import { attempt } from '../../errors.js';
import type { Container } from '../../model/container.js';
import { createPace } from '../../pace.js';
import type { Runtime } from '../../runtime/contract.js';
import type { Store, StoredChange } from '../../store/store.js';
import { opened, seal } from '../../store/values.js';
import type { Model } from './model.js';
import { type Change, isKnown, put } from './tables.js';

/** Milliseconds after a change: what ends by then costs nothing. */
const SOON = 600;

/** All records without which the container would not be what it is. */
export const belongings = (model: Model, container: Container): readonly Change[] => {
  const sandbox = model.sandboxOf(container);
  const own = sandbox?.containerId === container.id ? sandbox : undefined;
  const endpoints = own ? model.endpointsOfSandbox(own.id) : [];
  const networks = new Set([...container.networks, ...endpoints].map(({ networkId }) => networkId));
  return [
    ...[...networks].flatMap((id): Change[] => {
      const value = model.networks.get(id);
      return value ? [put('network', value)] : [];
    }),
    ...(own ? [put('sandbox', own)] : []),
    ...endpoints.map((endpoint) => put('endpoint', endpoint)),
    put('container', container),
  ];
};

const concerned = (model: Model, { table, id, value }: Change): readonly string[] => {
  if (table === 'container') return [id];
  if (table === 'network') return model.endpointsOfNetwork(id).map(({ containerId }) => containerId);
  return (table === 'endpoint' || table === 'sandbox') && value ? [value.containerId] : [];
};

export const sealed = (id: string, changes: readonly Change[]): string => seal(id, JSON.stringify(changes));

/** Undefined where it is not what `sealed` made for the container. */
export const unsealed = (id: string, text: string | undefined): readonly Change[] | undefined =>
  attempt(() => {
    if (text === undefined) return undefined;
    return (JSON.parse(opened(id, text)) as readonly StoredChange[]).filter(isKnown); // `sealed` wrote it
  });

export interface Keepsakes {
  /** The store, whose commits are followed from now on. */
  readonly store: Store;
  /** Also of those that were there before. */
  all(): void;
  /** Writes what is still to be written. */
  close(): void;
}

export const keepsakes = (
  store: Store,
  model: Model,
  runtime: Pick<Runtime, 'keep'>,
  warn: (id: string, error: unknown) => void,
): Keepsakes => {
  const stale = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  const write = (id: string): void => {
    stale.delete(id);
    const container = model.containers.get(id);
    if (!container || container.sandboxId === null) return;
    try {
      runtime.keep(id, sealed(id, belongings(model, container)));
    } catch (error) {
      warn(id, error);
    }
  };
  const turn = async (): Promise<void> => {
    const pace = createPace();
    for (const id of [...stale]) {
      if (pace.due()) await pace.rest();
      if (stale.has(id)) write(id);
    }
    timer = undefined;
    soon();
  };
  const soon = (): void => {
    if (stale.size > 0) timer ??= setTimeout(() => void turn(), SOON).unref();
  };
  const note = (ids: Iterable<string>): void => {
    for (const id of ids) stale.add(id);
    soon();
  };
  return {
    store: {
      ...store,
      commit(changes, durable) {
        store.commit(changes, durable);
        note(changes.filter(isKnown).flatMap((change) => concerned(model, change)));
      },
    },
    all: () => note(model.containers.keys()),
    close: () => {
      clearTimeout(timer);
      for (const id of [...stale]) write(id);
    },
  };
};
