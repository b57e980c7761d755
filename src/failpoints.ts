/**
 * Named places at which a test can end the daemon as a crash would. `VIADUCT_FAILPOINT=name:3` ends it at the third
 * passing of `name` after the daemon is ready, `any:3` at the third passing of any, `start/any:3` counts from the
 * process's start. Without the variable a call costs one comparison.
 */
export type Failpoint =
  | 'intent-durable'
  | 'kernel-step'
  | 'kernel-applied'
  | 'volumes-made'
  | 'rootfs-mounted'
  | 'volumes-mounted'
  | 'etc-written'
  | 'bundle-written'
  | 'runtime-launched'
  | 'runtime-created'
  | 'runtime-started'
  | 'exit-seen'
  | 'runtime-killed'
  | 'runtime-removed'
  | 'rootfs-released'
  | 'rootfs-discarded'
  | 'container-removed';

const [, fromStart = '', armed = '', nth = '1'] =
  /^(start\/)?([a-z-]+)(?::(\d+))?$/.exec(process.env.VIADUCT_FAILPOINT ?? '') ?? [];
let counting = fromStart !== '';
let passed = 0;

/** The daemon is ready: from now on passings count. */
export const armFailpoints = (): void => {
  counting = true;
};

export const failpoint = (name: Failpoint): void => {
  if (armed === '' || !counting || (armed !== name && armed !== 'any')) return;
  passed += 1;
  if (passed === Number(nth)) process.kill(process.pid, 'SIGKILL');
};
