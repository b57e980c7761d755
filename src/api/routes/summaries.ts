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
  /** the image's name and the API's version, other texts and records, which are replaced when they change */
  readonly from: readonly unknown[];
  /** of the engine's records, in which they were these last */
  readonly edition: number;
  /** begins with the comma that a list has before it */
  readonly bytes: Buffer;
  /** which it says, from the byte `at` on: `Up 5 seconds` is another one each second, `Up 5 hours` is not */
  readonly status: string;
  readonly at: number;
}

/** What a row says beside what the engine knows of the container. */
export interface Shown {
  readonly image: string;
  readonly linkNames: readonly string[];
  /** milliseconds since the epoch */
  readonly now: number;
  /** of the API's version */
  readonly minor: number;
  /** of the engine's records, now */
  readonly edition: number;
}

const rows = new WeakMap<Container, Row>();
/** Stands for the status in a row that is made; nobody's label says it. */
const STATUS = `status of ${randomUUID()}`;

const rowOf = (
  { from, edition }: Pick<Row, 'from' | 'edition'>,
  summary: Answer<'ContainerSummary'>,
): Row => {
  const json = `,${JSON.stringify({ ...summary, Status: STATUS })}`;
  const at = Buffer.byteLength(json.slice(0, json.indexOf(STATUS)));
  return { from, edition, bytes: Buffer.from(json), status: STATUS, at };
};

/** Words and numbers, which are in JSON as they are. */
const saying = (row: Row, status: string): Row => {
  const { bytes, status: before, at } = row;
  if (status === before) return row;
  const pieces = [bytes.subarray(0, at), Buffer.from(status), bytes.subarray(at + before.length)];
  return { ...row, bytes: Buffer.concat(pieces), status };
};

const same = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((each, i) => each === b[i]);

const rowNow = (engine: Engine, container: Container, shown: Shown, known: Row | undefined): Row => {
  const { image, minor, linkNames, edition, now } = shown;
  if (known?.edition === edition && known.from[0] === image && known.from[1] === minor) return known;
  const from = [
    ...[image, minor, linkNames.join()],
    ...engine.containers.endpoints(container),
    ...container.networks.map(
      ({ networkId, name }) => engine.networks.find(networkId) ?? engine.networks.find(name),
    ),
  ];
  if (known && same(known.from, from)) return { ...known, edition };
  const view = { ...viewContainer(engine, container), linkNames };
  return rowOf({ from, edition }, presentSummary(view, image, now, minor));
};

/** The bytes of a row, behind a comma. */
export const summaryJson = (engine: Engine, container: Container, shown: Shown): Buffer => {
  const known = rows.get(container);
  const status = presentStatus(container.state, shown.now);
  const row = saying(rowNow(engine, container, shown, known), status);
  if (row !== known) rows.set(container, row);
  return row.bytes;
};
