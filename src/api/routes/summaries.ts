/**
 * Rows of lists of containers, as the bytes of their JSON. Each is kept with what it was made of for as long as its container's record lives: of
 * a thousand rows few say something else in the next list, and to make them anew, or to encode them, takes most of its time.
 */
import { randomUUID } from 'node:crypto';
import type { Engine } from '../../engine/contract.js';
import type { Container } from '../../model/container.js';
import { presentSummary } from '../present/container.js';
import { presentStatus } from '../present/state.js';
import type { Answer } from '../schema/answer.js';
import { viewContainer } from './views.js';

interface Row {
  /** records, which are replaced when they change, and texts */
  readonly from: readonly unknown[];
  /** what is before the status, and what is behind it: `Up 5 seconds` of a thousand is another one each second */
  readonly head: Buffer;
  readonly tail: Buffer;
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
/** Stands for the status in a row that is made; nobody's label says it. */
const STATUS = `status of ${randomUUID()}`;

const rowOf = (from: Row['from'], summary: Answer<'ContainerSummary'>): Row => {
  const json = JSON.stringify({ ...summary, Status: STATUS });
  const at = json.indexOf(STATUS);
  return {
    from,
    head: Buffer.from(json.slice(0, at)),
    tail: Buffer.from(json.slice(at + STATUS.length)),
  };
};

const same = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((each, i) => each === b[i]);

/** The bytes of a row, in pieces. */
export const summaryJson = (engine: Engine, container: Container, shown: Shown): readonly Buffer[] => {
  const { image, linkNames, now, minor } = shown;
  const status = Buffer.from(presentStatus(container.state, now)); // words and numbers: as JSON has them
  const from = [
    ...[image, minor, linkNames.join()],
    ...engine.containers.endpoints(container),
    ...container.networks.map(
      ({ networkId, name }) => engine.networks.find(networkId) ?? engine.networks.find(name),
    ),
  ];
  const known = rows.get(container);
  if (known && same(known.from, from)) return [known.head, status, known.tail];
  const view = { ...viewContainer(engine, container), linkNames };
  const row = rowOf(from, presentSummary(view, image, now, minor));
  rows.set(container, row);
  return [row.head, status, row.tail];
};
