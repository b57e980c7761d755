/** Prints how many drifts of nftables are told after what we write ourselves, and after what another program writes. */
import { execFileSync } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { createNftables } from '../../src/kernel/nftables/index.js';
import { TablesWatch } from '../../src/kernel/tables-watch.js';

let drifts = 0;
const watch = new TablesWatch(() => {
  drifts += 1;
});
const tables = createNftables('host');
tables.ensure();
await pause(300);
const ours = drifts;
execFileSync('nft', ['add', 'table', 'ip', 'theirs']);
await pause(300);
process.stdout.write(`ours ${ours}, theirs ${drifts - ours}\n`);
tables.drop();
tables.close();
watch.close();
