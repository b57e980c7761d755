/** Gives each session that a node begins with this manager an id, its epoch (`session/NODE`): what a node says in one that is over is of no account. */
import { encode } from '../control/transactions.js';
import { newId } from '../ids.js';

export class Epochs {
  readonly #epochs = new Map<string, string>();

  constructor(private readonly managerId: string) {}

  /** The value of the record of a session that begins. */
  begin(nodeId: string): string {
    this.#epochs.set(nodeId, newId());
    return this.text(nodeId) ?? '';
  }

  end(nodeId: string): void {
    this.#epochs.delete(nodeId);
  }

  /** undefined: it has none here */
  get(nodeId: string): string | undefined {
    return this.#epochs.get(nodeId);
  }

  /** The value of its record. */
  text(nodeId: string): string | undefined {
    const epoch = this.get(nodeId);
    return epoch === undefined ? undefined : encode({ id: nodeId, manager: this.managerId, epoch });
  }
}
