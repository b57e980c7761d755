/**
 * Named places at which a test can end the daemon as a crash would. VIADUCT_FAILPOINTS names a file; while the file
 * holds `name:3`, the third passing of that place since then is the last (`any:3`: of any place). Without the variable
 * a call costs one comparison.
 */
import { readFileSync } from 'node:fs';

export type Failpoint =
  | 'tail-turned'
  | 'snapshot-written'
  | 'snapshot-named'
  | 'snapshot-copied'
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
  | 'pause-noted'
  | 'thaw-noted'
  | 'exit-seen'
  | 'runtime-killed'
  | 'runtime-removed'
  | 'rootfs-released'
  | 'rootfs-discarded'
  | 'container-removed'
  | 'certificate-written'
  | 'key-written'
  | 'program-noted'
  | 'program-started'
  | 'plugin-owed'
  | 'plugin-told';

const file = process.env.VIADUCT_FAILPOINTS ?? '';
let armed = '';
let passed = 0;

export const failpoint = (name: Failpoint): void => {
  if (file !== '') pass(name);
};

const pass = (name: Failpoint): void => {
  const text = wanted();
  if (text !== armed) passed = 0;
  armed = text;
  const [place, nth = '1'] = text.split(':', 2);
  if (place !== name && place !== 'any') return;
  passed += 1;
  if (passed === Number(nth)) process.kill(process.pid, 'SIGKILL');
};

const wanted = (): string => {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    return ''; // not armed
  }
};
