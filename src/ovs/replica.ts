/** A monitor's copy of the database: its first answer and its updates (RFC 7047, 4.1.5 and 4.1.6) as rows by UUID. Pure. */
import { isRecord, type Row, type Tables, uuid } from './values.js';

export class Replica {
  readonly #tables = new Map<string, Map<string, Row>>();

  /** `new` is a row's every monitored column; without it the row is gone. */
  update(updates: unknown): void {
    if (!isRecord(updates)) return;
    for (const [table, rows] of Object.entries(updates)) {
      const known = this.#tables.get(table) ?? new Map<string, Row>();
      this.#tables.set(table, known);
      if (!isRecord(rows)) continue;
      for (const [id, change] of Object.entries(rows)) {
        if (isRecord(change) && isRecord(change.new)) known.set(id, { ...change.new, _uuid: uuid(id) });
        else known.delete(id);
      }
    }
  }

  get tables(): Tables {
    return Object.fromEntries([...this.#tables].map(([name, rows]) => [name, [...rows.values()]]));
  }
}
