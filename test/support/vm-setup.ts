/** Once before all tests of the VM lane: they change the machine they run on, so it must be the guest of `npm run test:vm`. */
import { readFileSync } from 'node:fs';

export default function setup(): void {
  if (!/\bviaduct\.guest\b/.test(readFileSync('/proc/cmdline', 'utf8')))
    throw new Error('tests of test/vm run in a guest only: npm run test:vm');
}
