/**
 * A container with very many ports: the sockets that hold them are bound before its start is decided, some in each turn of the
 * loop. It is looked ahead what would be held; the start decides anew, and takes what is ready.
 */
import type { Container } from '../../model/container.js';
import { fresh } from '../fresh.js';
import type { Outside, Writing } from '../parts.js';
import type { View } from '../view.js';
import { asksForEndpoints, decideStart } from './decide-attach.js';

type Looking = View & Pick<Writing, 'ledger'> & Pick<Outside, 'hostPorts'>;

/** So many ports are published by name that a look ahead pays. */
const MANY = 1024;

/** Ports that the host chooses are chosen by binding them: nothing may be bound before. */
const namesMany = ({ hostConfig: { PortBindings, PublishAllPorts } }: Container): boolean => {
  if (PublishAllPorts) return false;
  let count = 0;
  for (const port in PortBindings) {
    count += 1;
    const bindings = PortBindings[port];
    // A range, of which one is chosen, is no number.
    if (!bindings?.every(({ HostPort }) => Number(HostPort) > 0)) return false;
  }
  return count >= MANY;
};

/** Undefined: it does not pay. Else answers how to let go of what the start did not take. Rejects nothing. */
export const holdAhead = (parts: Looking, container: Container): Promise<() => void> | undefined => {
  const { hostPorts, ledger } = parts;
  if (!hostPorts || !namesMany(container)) return undefined;
  try {
    if (asksForEndpoints(parts, container)) return undefined;
    const plan = ledger.preview(decideStart(parts, fresh(), container).changes);
    return hostPorts.prepare(
      plan.flatMap(({ op, object }) => (op === 'create' && object.kind === 'hostport' ? [object] : [])),
    );
  } catch {
    return undefined; // the start itself says why it cannot be
  }
};
