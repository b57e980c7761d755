/**
 * A container's record is changed from what it is at that moment, never from what somebody read before an await: else a
 * rename, a limit or a user's stop that came between would be lost.
 */
import type { Container, ContainerState } from '../../model/container.js';
import { type Change, put } from '../commit/tables.js';
import type { Writing } from '../parts.js';
import type { View } from '../view.js';

type Recording = Pick<View, 'model'> & Pick<Writing, 'ledger'>;

/** In one commit with `beside`. Nothing happens to a record that is gone. */
export const amend = (
  { model, ledger }: Recording,
  id: string,
  change: (now: Container) => Container,
  beside: readonly Change[] = [],
): void => {
  const now = model.containers.get(id);
  if (now) ledger.commit([...beside, put('container', change(now))]);
};

export const amendState = (parts: Recording, id: string, change: Partial<ContainerState>): void =>
  amend(parts, id, (now) => ({ ...now, state: { ...now.state, ...change } }));
