/**
 * Named places at which a test can end the daemon as a crash would: `VIADUCT_FAILPOINT=name` or `name:3` for its third
 * passing. Without the variable a call costs one comparison.
 */
export type Failpoint =
  | 'intent-durable'
  | 'kernel-applied'
  | 'rootfs-mounted'
  | 'runtime-created'
  | 'runtime-started'
  | 'exit-seen'
  | 'container-removed';

const [armed = '', nth = '1'] = (process.env.VIADUCT_FAILPOINT ?? '').split(':');
let passed = 0;

export const failpoint = (name: Failpoint): void => {
  if (armed !== name) return;
  passed += 1;
  if (passed === Number(nth)) process.kill(process.pid, 'SIGKILL');
};
