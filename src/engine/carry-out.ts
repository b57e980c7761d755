/** Decisions made real: records, disk and kernel first, all or nothing; then whoever is to be told is. */
import { etcJoined, etcLeft, etcUnlinked, followLinks } from './containers/etc-files.js';
import type { Decision, EtcChange } from './decision.js';
import type { Writing } from './parts.js';
import type { View } from './view.js';

type Carrying = View & Pick<Writing, 'ledger' | 'events' | 'debts'>;

const changeEtc = (view: View, change: EtcChange): void => {
  if (change.what === 'unlinked') {
    etcUnlinked(view, change.container, change.alias);
    return;
  }
  const container = view.model.getContainer(change.container);
  if (change.what === 'left') etcLeft(view, container, change.endpoint);
  else {
    etcJoined(view, container, change.endpoint);
    followLinks(view, container);
  }
};

/** Throws what the ledger refused. `meanwhile`: as of `Ledger.commit`. */
export const carryOut = <D extends Decision>(parts: Carrying, decision: D, meanwhile?: () => void): D => {
  const { changes, events, etc = [] } = decision;
  parts.ledger.commit(changes, meanwhile);
  for (const event of events) parts.events.publish(event);
  // Plugins are told in their own time.
  for (const { table, id, value } of changes) if (table === 'owed' && value) void parts.debts.settle(id);
  for (const change of etc) changeEtc(parts, change);
  return decision;
};
