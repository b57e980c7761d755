/** FAST: all of `firewall-spoofing.test.ts`, with shortcuts past bridges. */
import { withFastpath } from '../support/firewall-lab.js';

withFastpath();
await import('./firewall-spoofing.test.js');
