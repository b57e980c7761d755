/**
 * Six projects. unit, golden and property need no root and run in parallel; kernel and e2e need root: kernel
 * files run one at a time, each in a process and a network namespace of its own, e2e files two, each with a daemon of its own.
 * vm runs only inside the guest of `npm run test:vm`, one file at a time too.
 */
import { defineConfig } from 'vitest/config';

/** Time limits are for a real processor; an emulated one (the VM lane) says by how much it is slower. */
const PATIENCE = Number(process.env.TEST_PATIENCE ?? 1);

const rootless = (name: string, testTimeout: number) => ({
  extends: true as const,
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout },
});

/** Each end-to-end file has a machine of namespaces to itself, and mostly waits: two keep two processors busy. */
const FILES_AT_A_TIME = Number(process.env.TEST_FILES ?? 2);

export default defineConfig({
  test: {
    pool: 'forks',
    // What is waited for comes when it comes: a busy machine is no failure.
    expect: { poll: { timeout: 10_000 } },
    reporters: ['default', './test/support/verdicts.ts'],
    projects: [
      rootless('unit', 10_000),
      rootless('golden', 10_000),
      rootless('property', 60_000),
      {
        extends: true,
        test: {
          name: 'kernel',
          include: ['test/kernel/**/*.test.ts'],
          setupFiles: ['test/support/own-namespace.ts'],
          isolate: true,
          maxWorkers: 1,
          fileParallelism: false,
          testTimeout: 30_000 * PATIENCE,
          hookTimeout: 30_000 * PATIENCE,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: ['test/support/e2e-setup.ts'],
          setupFiles: ['test/support/no-stands.ts'],
          isolate: true,
          maxWorkers: FILES_AT_A_TIME,
          fileParallelism: FILES_AT_A_TIME > 1,
          testTimeout: 60_000 * PATIENCE,
          hookTimeout: 120_000 * PATIENCE,
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: {
          name: 'vm',
          include: ['test/vm/**/*.test.ts'],
          globalSetup: ['test/support/vm-setup.ts', 'test/support/e2e-setup.ts'],
          setupFiles: ['test/support/no-stands.ts'],
          isolate: true,
          maxWorkers: 1,
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 240_000,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
