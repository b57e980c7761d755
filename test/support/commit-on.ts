/** The commit in memory, on whichever kernel: model, ledger, dirty table and drift as the engine puts them together. */
import type { Derive } from '../../src/engine/commit/derive.js';
import { Dirty } from '../../src/engine/commit/dirty.js';
import { Ledger } from '../../src/engine/commit/ledger.js';
import { Model } from '../../src/engine/commit/model.js';
import type { Kernel } from '../../src/kernel/contract.js';
import type { Logger } from '../../src/log.js';
import type { Store, StoredChange } from '../../src/store/store.js';

/** A disk that remembers, and what it was asked to wait for. */
const memoryStore = () => {
  const records = new Map<string, StoredChange>();
  const waited: boolean[] = [];
  const store: Store = {
    load: () => records.values(),
    commit(changes, durable) {
      waited.push(durable);
      for (const c of changes)
        if (c.value === null) records.delete(`${c.table}/${c.id}`);
        else records.set(`${c.table}/${c.id}`, c);
    },
    written: () => undefined,
    setting: (_key, fresh) => fresh(),
    close: async () => {},
  };
  return { store, records, waited };
};

/** What a derivation is asked for. */
type Slice = Parameters<Derive>[1];

/** As of a daemon that has started: the kernel follows. */
export const commitOn = <K extends Kernel>(kernel: K, pure: Derive, model: Model = new Model()) => {
  const disk = memoryStore();
  const derived: Slice[] = [];
  const derive: Derive = (records, slice) => {
    derived.push(slice);
    return pure(records, slice);
  };
  /** errors and what followed on them, in one line each */
  const said: string[] = [];
  const say = (fields: object, text: string): void =>
    void said.push([...Object.values(fields).slice(0, 1), text].join(': '));
  const log: Logger = { debug() {}, info: say, warn() {}, error: say };
  const strays = { run: false };
  const dirty = new Dirty({ kernel, model, derive, log, leaveOthers: () => strays.run });
  const ledger = new Ledger({ model, store: disk.store, kernel, derive, dirty });
  ledger.follow();
  return { model, kernel, derive, derived, log, dirty, ledger, said, strays, ...disk };
};
