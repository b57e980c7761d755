/** The commit in memory, on the fake kernel: model, ledger, dirty table and drift as the engine puts them together. */
import { DRIVERS } from '../../src/drivers/index.js';
import { createDerive, type Derive } from '../../src/engine/commit/derive.js';
import { Dirty } from '../../src/engine/commit/dirty.js';
import { Ledger } from '../../src/engine/commit/ledger.js';
import { Model } from '../../src/engine/commit/model.js';
import { type Rows, TABLES } from '../../src/engine/commit/tables.js';
import type { Logger } from '../../src/log.js';
import { build } from '../../src/plan/diff.js';
import { HOST_SLICE, type Slice } from '../../src/plan/objects.js';
import type { Store, StoredChange } from '../../src/store/store.js';
import { createFakeKernel, type FakeKernel } from './fake-kernel.js';
import { HOST } from './views.js';

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

/** `given`: of a former daemon, or a world that a test makes up. */
export const commitInMemory = (
  rows: Rows = TABLES,
  given: { readonly model?: Model; readonly kernel?: FakeKernel; readonly derive?: Derive } = {},
) => {
  const model = given.model ?? new Model(rows);
  const kernel = given.kernel ?? createFakeKernel();
  const disk = memoryStore();
  const pure = given.derive ?? createDerive({ host: HOST, drivers: DRIVERS, daemon: [] });
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
  // As a daemon's start does: the host's own slice is there before any command.
  if (!given.kernel) kernel.apply(build(derive(model, HOST_SLICE)));
  ledger.follow();
  return { model, kernel, derive, derived, log, dirty, ledger, said, strays, ...disk };
};
