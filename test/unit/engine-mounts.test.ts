/** Mounts that several use at once: the root and the devices of volumes go with whoever used them last. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { PassThrough } from 'node:stream';
import { afterAll, expect, test } from 'vitest';
import { Model } from '../../src/engine/commit/model.js';
import { createFileCommands } from '../../src/engine/containers/files.js';
import { launch } from '../../src/engine/containers/launch.js';
import { MountUsers } from '../../src/engine/containers/mount-users.js';
import { releaseMounts, sweepMounts } from '../../src/engine/containers/mounts.js';
import type { Parts } from '../../src/engine/parts.js';
import type { Container } from '../../src/model/container.js';
import type { ContainerId, SandboxId } from '../../src/model/ids.js';
import { CONFIG } from '../support/fake-engine.js';
import { aContainer } from '../support/views.js';

const root = mkdtempSync(`${tmpdir()}/viaduct-mounts-`);
afterAll(() => rmSync(root, { recursive: true, force: true }));

const scratch: Container['mounts'][number] = {
  type: 'volume',
  name: 'scratch',
  source: root,
  destination: '/data',
  driver: 'local',
  mode: '',
  rw: true,
  propagation: '',
  options: '',
};

/** Rooms of an engine that note what is mounted. `onMount`: a volume's device has just been mounted. */
const world = (onMount: () => void = () => {}) => {
  const model = new Model();
  const mounted = new Set<string>();
  const tars: PassThrough[] = [];
  const warnings: unknown[] = [];
  const parts = {
    config: CONFIG,
    model,
    mountUsers: new MountUsers(),
    events: { publish: () => {} },
    log: { warn: (...said: unknown[]) => warnings.push(said) },
    images: {
      mount: async (id: string) => {
        mounted.add(id);
        return root;
      },
      unmount: async (id: string) => void mounted.delete(id),
      mounted: () => [...mounted],
    },
    volumes: {
      ready: async (name: string) => {
        mounted.add(name);
        onMount();
      },
      directory: () => root,
      unmount: async (name: string) => void mounted.delete(name),
      usedBy: (name: string) =>
        [...model.containers.values()].filter((c) => c.mounts.some((m) => m.name === name)).map((c) => c.id),
    },
    runtime: {
      foresee: () => {},
      archive: () => {
        const tar = new PassThrough();
        tars.push(tar);
        return { stat: {}, tar };
      },
    },
  } as unknown as Parts; // nothing else is asked before the networks
  const set = (id: Container['id'], value: Container | null) =>
    void model.change({ table: 'container', id, value });
  const add = (name: string, sandboxId: string | null = null): Container => {
    const container = aContainer({
      id: name.padEnd(64, '0') as ContainerId,
      name,
      mounts: [scratch],
      sandboxId: sandboxId as SandboxId | null, // brands are the test's to give
    });
    set(container.id, container);
    return container;
  };
  return { parts, add, set, mounted, tars, warnings };
};

const closed = (tar: PassThrough): Promise<unknown> => {
  const end = new Promise((resolve) => tar.once('close', resolve));
  tar.destroy();
  return end;
};

test('10.9: a container that ends leaves the volume that another one has mounted for its start', async () => {
  const seen: boolean[] = [];
  const { parts, add, set, mounted } = world(() =>
    // The other one's end comes before the start has got any further.
    queueMicrotask(() => {
      set(ending.id, { ...ending, sandboxId: null });
      releaseMounts(parts, ending);
      seen.push(mounted.has('scratch'));
    }),
  );
  const ending = add('ending', 's1');
  const starting = add('starting');
  // It fails where networks are joined, which there are none of here: then nobody has the volume any more.
  await expect(launch(parts, starting, new AbortController().signal)).rejects.toThrow();
  expect(seen[0]).toBe(true);
  expect([...mounted]).toEqual([]);
});

test('10.9: of two copies out of a stopped container the last to end unmounts its root and volumes', async () => {
  const { parts, add, mounted, tars } = world();
  const { id } = add('stopped');
  const files = createFileCommands(parts);
  await Promise.all([files.archive(id, '/a'), files.archive(id, '/b')]);
  const [first, second] = tars as [PassThrough, PassThrough];
  await closed(first);
  expect([...mounted].sort()).toEqual(['scratch', id].sort());
  await closed(second);
  expect([...mounted]).toEqual([]);
});

test('10.9: a copy ends after its container has started or gone', async () => {
  const { parts, add, set, mounted, tars } = world();
  const stopped = add('stopped');
  const files = createFileCommands(parts);
  await files.archive(stopped.id, '/a');
  add('stopped', 's1');
  await closed(tars[0] as PassThrough);
  expect([...mounted].sort()).toEqual(['scratch', stopped.id].sort());
  add('stopped');
  await files.archive(stopped.id, '/a');
  set(stopped.id, null);
  releaseMounts(parts, stopped);
  expect(mounted.has('scratch')).toBe(true);
  await closed(tars[1] as PassThrough);
  expect([...mounted]).toEqual([]);
});

test('10.9: what cannot be unmounted is told of, and the rest is unmounted all the same', async () => {
  const { parts, add, mounted, warnings } = world();
  const container = add('ended');
  mounted.add(container.id);
  const busy = () => Promise.reject(new Error('umount EBUSY'));
  releaseMounts({ ...parts, volumes: { ...parts.volumes, unmount: busy } }, container);
  expect([...mounted]).toEqual([]);
  await expect.poll(() => warnings.length).toBe(1);
  expect(warnings).toEqual([
    [{ container: 'ended', error: 'Error: umount EBUSY' }, 'volume scratch stays mounted'],
  ]);
});

test('I10: a copy out of a container that is being removed is refused before its root would be made anew', async () => {
  const { parts, add, set, mounted } = world();
  const container = add('leaving');
  const files = createFileCommands({
    ...parts,
    volumes: {
      ...parts.volumes,
      ready: async () =>
        set(container.id, { ...container, state: { ...container.state, status: 'removing' } }),
    },
  });
  await expect(files.archive(container.id, '/a')).rejects.toThrow('container leaving is being removed');
  await expect(files.export(container.id)).rejects.toThrow('container leaving is being removed');
  expect([...mounted]).toEqual([]);
});

test('I10: what a killed daemon left mounted is unmounted, but for those that run and those that nobody knows', () => {
  const { parts, add, mounted } = world();
  const [ended, running] = [add('ended'), add('running', 's1')];
  for (const id of [ended.id, running.id, 'stray']) mounted.add(id);
  sweepMounts(parts);
  expect([...mounted]).toEqual([running.id, 'stray']);
});
