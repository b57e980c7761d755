/** Adding and deleting elements in one transaction, so that both are harmless where they are done already. */
import { EBUSY, EEXIST, ENOENT, failedWith } from '../../errno.js';
import type { ElementObject } from '../../plan/objects.js';
import { objectKey } from '../../plan/objects.js';
import type { NetlinkSocket } from '../netlink.js';
import type { ElementChange } from '../nftables.contract.js';
import { changeMessages, dumpContents } from './contents.js';
import { sameElement } from './elements.js';
import { batch } from './messages.js';
import type { TiedChains } from './tied.js';

const nameOf = (changes: readonly ElementChange[]): string => {
  const [first] = changes;
  if (!first) return 'nftables batch';
  const others = changes.length > 1 ? ` and ${changes.length - 1} more` : '';
  return `nftables ${first.op} ${objectKey(first.element)}${others}`;
};

const send = (socket: NetlinkSocket, tied: TiedChains, changes: readonly ElementChange[]): void => {
  const elements = changeMessages(changes);
  if (elements.length === 0) return;
  const chains = tied.neededFor(changes);
  const ahead = chains.messages.length + 1;
  socket.request(batch([...chains.messages, ...elements.map(({ message }) => message)]), (index) =>
    nameOf(elements[index - ahead]?.changes ?? []),
  );
  chains.made();
};

const readSets = (
  socket: NetlinkSocket,
  changes: readonly ElementChange[],
): Map<string, ElementObject | undefined> => {
  const sets = new Map(changes.map(({ element: e }) => [`${e.family} ${e.set}`, e]));
  const elements = [...sets.values()].flatMap((set) => dumpContents(socket, set));
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

/** In order, all or nothing. Only where the kernel refuses is it asked what is there: 10 µs an element otherwise. */
export const changeElements = (
  socket: NetlinkSocket,
  tied: TiedChains,
  changes: readonly ElementChange[],
): void => {
  try {
    send(socket, tied, changes);
  } catch (error) {
    if (!failedWith(error, ENOENT, EEXIST, EBUSY)) throw error;
    send(socket, tied, remaining(readSets(socket, changes), changes));
  }
};
