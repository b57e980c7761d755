/**
 * Once before all end-to-end tests: root, nothing of killed tests, the build of these very sources, and the test images.
 * E2E_SKIP_BUILD=1 takes dist/ as it is, E2E_SKIP_IMAGES=1 the images.
 */
import { execFileSync } from 'node:child_process';
import { buildTestImages } from '../../scripts/images/build-test-images.js';
import { IS_VIADUCT, ROOT } from './daemon.js';
import { sweepWorlds } from './world.js';

export default async function setup(): Promise<void> {
  if (process.getuid?.() !== 0)
    throw new Error('end-to-end tests need root: run them through `sudo npm test`');
  for (const base of await sweepWorlds()) console.log(`${base}: taken away, its tests were killed`);
  if (IS_VIADUCT && process.env.E2E_SKIP_BUILD !== '1') {
    execFileSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] });
  }
  if (process.env.E2E_SKIP_IMAGES !== '1') buildTestImages({});
}
