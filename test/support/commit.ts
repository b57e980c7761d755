/** The commit in memory on the fake kernel. */
import { DRIVERS } from '../../src/drivers/index.js';
import { createDerive, type Derive } from '../../src/engine/commit/derive.js';
import { Model } from '../../src/engine/commit/model.js';
import { type Rows, TABLES } from '../../src/engine/commit/tables.js';
import { build } from '../../src/plan/diff.js';
import { HOST_SLICE } from '../../src/plan/objects.js';
import { commitOn } from './commit-on.js';
import { createFakeKernel, type FakeKernel } from './fake-kernel.js';
import { HOST } from './views.js';

/** `given`: of a former daemon, or a world that a test makes up. */
export const commitInMemory = (
  rows: Rows = TABLES,
  given: { readonly model?: Model; readonly kernel?: FakeKernel; readonly derive?: Derive } = {},
) => {
  const derive = given.derive ?? createDerive({ host: HOST, drivers: DRIVERS, daemon: [] });
  const world = commitOn(given.kernel ?? createFakeKernel(), derive, given.model ?? new Model(rows));
  // As a daemon's start does: the host's own slice is there before any command.
  if (!given.kernel) world.kernel.apply(build(world.derive(world.model, HOST_SLICE)));
  return world;
};
