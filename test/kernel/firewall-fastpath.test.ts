/** FAST: all of `firewall.test.ts`, with shortcuts past bridges. */
import { withFastpath } from '../support/firewall-lab.js';

withFastpath();
await import('./firewall.test.js');
