/** Once before all end-to-end tests: root, the build of these very sources, and the test images. */
import { execFileSync } from 'node:child_process';
import { buildTestImages } from '../../scripts/images/build-test-images.js';
import { ROOT } from './daemon.js';

export default function setup(): void {
  if (process.getuid?.() !== 0)
    throw new Error('end-to-end tests need root: run them through `sudo npm test`');
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] });
  buildTestImages({});
}
