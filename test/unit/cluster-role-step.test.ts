/** A node on its way to the role that the cluster has for it (S1). */
import { expect, test } from 'vitest';
import { nextRoleStep, type RoleFacts } from '../../src/cluster/life/role-step.js';

const worker: RoleFacts = {
  wanted: 'worker',
  certified: 'worker',
  role: 'worker',
  isDue: false,
  isConnected: true,
  isCounted: false,
};
const manager: RoleFacts = {
  ...worker,
  wanted: 'manager',
  certified: 'manager',
  role: 'manager',
  isCounted: true,
};

test('who is what the cluster wants rests, until the certificate is due', () => {
  expect(nextRoleStep(worker)).toBe('rest');
  expect(nextRoleStep(manager)).toBe('rest');
  expect(nextRoleStep({ ...worker, isDue: true })).toBe('renew');
});

test('a promoted worker has a certificate for it first, then a member of etcd', () => {
  const promoted = { ...worker, wanted: 'manager' } as const;
  expect(nextRoleStep(promoted)).toBe('renew');
  expect(nextRoleStep({ ...promoted, certified: 'manager' })).toBe('become-manager');
});

test('a demoted manager ends etcd only when the leader has taken it out', () => {
  const demoted = { ...manager, wanted: 'worker' } as const;
  expect(nextRoleStep(demoted)).toBe('renew');
  expect(nextRoleStep({ ...demoted, certified: 'worker' })).toBe('wait');
  expect(nextRoleStep({ ...demoted, certified: 'worker', isCounted: false })).toBe('become-worker');
});

test('without a session nothing can be asked for; a manager no more ends what it had all the same', () => {
  const alone = { ...worker, isConnected: false, isDue: true };
  expect(nextRoleStep(alone)).toBe('rest');
  expect(nextRoleStep({ ...alone, wanted: 'manager', certified: 'manager' })).toBe('rest');
  expect(
    nextRoleStep({ ...manager, wanted: 'worker', certified: 'worker', isCounted: false, isConnected: false }),
  ).toBe('become-worker');
});
