/**
 * Rows of lists of containers, as the bytes of their JSON. Each is kept with what it was made of for as long as its container's record lives: of
 * a thousand rows few say something else in the next list, and to make them anew, or to encode them, takes most of its time.
 */
import type { Engine } from '../../engine/contract.js';
import type { Container } from '../../model/container.js';
import { presentSummary } from '../present/container.js';
import { presentStatus } from '../present/state.js';
import { viewContainer } from './views.js';

interface Row {
  /** records, which are replaced when they change, and texts */
  readonly from: readonly unknown[];
  readonly json: Buffer;
}

/** What a row says beside what the engine knows of the container. */
export interface Shown {
  readonly image: string;
  readonly linkNames: readonly string[];
  /** milliseconds since the epoch */
  readonly now: number;
  /** of the API's version */
  readonly minor: number;
}

const rows = new WeakMap<Container, Row>();

const same = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((each, i) => each === b[i]);

export const summaryJson = (engine: Engine, container: Container, shown: Shown): Buffer => {
  const { image, linkNames, now, minor } = shown;
  const from = [
    ...[image, minor, presentStatus(container.state, now), linkNames.join()],
    ...engine.containers.endpoints(container),
    ...container.networks.map(
      ({ networkId, name }) => engine.networks.find(networkId) ?? engine.networks.find(name),
    ),
  ];
  const known = rows.get(container);
  if (known && same(known.from, from)) return known.json;
  const json = Buffer.from(
    JSON.stringify(presentSummary({ ...viewContainer(engine, container), linkNames }, image, now, minor)),
  );
  rows.set(container, { from, json });
  return json;
};
