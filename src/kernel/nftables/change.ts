/** Adding and deleting elements in one transaction, so that both are harmless where they are done already. */
import { KernelError } from '../../errors.js';
import type { ElementObject } from '../../plan/objects.js';
import { objectKey } from '../../plan/objects.js';
import type { NetlinkSocket } from '../netlink.js';
import type { ElementChange } from '../nftables.contract.js';
import { ERRNO } from './constants.js';
import { elementMessages, sameElement } from './elements.js';
import { batch } from './messages.js';
import { dumpSet } from './observed.js';

const nameOf = (changes: readonly ElementChange[]): string => {
  const [first] = changes;
  if (!first) return 'nftables batch';
  const others = changes.length > 1 ? ` and ${changes.length - 1} more` : '';
  return `nftables ${first.op} ${objectKey(first.element)}${others}`;
};

const send = (socket: NetlinkSocket, changes: readonly ElementChange[]): void => {
  const messages = elementMessages(changes);
  if (messages.length === 0) return;
  socket.request(batch(messages.map(({ message }) => message)), (index) =>
    nameOf(messages[index - 1]?.changes ?? []),
  );
};

const readSets = (
  socket: NetlinkSocket,
  changes: readonly ElementChange[],
): Map<string, ElementObject | undefined> => {
  const sets = new Map(changes.map(({ element: e }) => [`${e.family} ${e.set}`, e]));
  const elements = [...sets.values()].flatMap(({ family, set }) => dumpSet(socket, family, set));
  return new Map(elements.map((e) => [objectKey(e), e]));
};

/** What is left to do where part of it is done already, or an element is there with other data. */
const remaining = (
  present: Map<string, ElementObject | undefined>,
  changes: readonly ElementChange[],
): ElementChange[] =>
  changes.flatMap(({ op, element }) => {
    const key = objectKey(element);
    const before = present.get(key);
    present.set(key, op === 'add' ? element : undefined);
    if (op === 'delete') return before ? [{ op, element: before }] : [];
    if (!before) return [{ op, element }];
    return sameElement(before, element)
      ? []
      : [
          { op: 'delete', element: before },
          { op, element },
        ];
  });

const REPAIRABLE: readonly number[] = [ERRNO.ENOENT, ERRNO.EEXIST, ERRNO.EBUSY];

/** In order, all or nothing. Only where the kernel refuses is it asked what is there: 10 µs an element otherwise. */
export const changeElements = (socket: NetlinkSocket, changes: readonly ElementChange[]): void => {
  try {
    send(socket, changes);
  } catch (error) {
    if (!(error instanceof KernelError) || !REPAIRABLE.includes(error.errno)) throw error;
    send(socket, remaining(readSets(socket, changes), changes));
  }
};
