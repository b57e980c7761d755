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
  runtime: Pick<Runtime, 'keep' | 'kept'>,
  warn: (id: string, error: unknown) => void,
): Keepsakes => {
  const stale = new Set<string>();
  /** A former daemon wrote them, as far as it could: most are as they should be, and to write takes six times as long as to read. */
  const doubted = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  const write = (id: string): void => {
    const isStale = stale.delete(id);
    doubted.delete(id);
    const container = model.containers.get(id);
    if (!container || container.sandboxId === null) return;
    try {
      const text = sealed(id, belongings(model, container));
      if (isStale || runtime.kept(id) !== text) runtime.keep(id, text);
    } catch (error) {
      warn(id, error);
    }
  };
  const turn = async (): Promise<void> => {
    const pace = createPace();
    for (const id of [...stale, ...doubted]) {
      if (pace.due()) await pace.rest();
      if (stale.has(id) || doubted.has(id)) write(id);
    }
    timer = undefined;
    soon();
  };
  const soon = (): void => {
    if (stale.size + doubted.size > 0) timer ??= setTimeout(() => void turn(), SOON).unref();
  };
  const note = (set: Set<string>, ids: Iterable<string>): void => {
    for (const id of ids) set.add(id);
    soon();
  };
  return {
    store: {
      ...store,
      commit(changes, durable) {
        store.commit(changes, durable);
        note(
          stale,
          changes.filter(isKnown).flatMap((change) => concerned(model, change)),
        );
      },
    },
    all: () => note(doubted, model.containers.keys()),
    // The next daemon doubts them all anew.
    close: () => {
      clearTimeout(timer);
      for (const id of [...stale]) write(id);
    },
  };
};
