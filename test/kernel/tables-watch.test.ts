/** Whose transactions of nftables are ours: also where the daemon has a PID namespace of its own, as in a container. */
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { run } from '../support/run.js';

const counting = fileURLToPath(new URL('../support/count-drifts.ts', import.meta.url));

test.each([
  { where: 'like the host’s', inside: ['unshare', '--net'] },
  { where: 'of its own', inside: ['unshare', '--net', '--pid', '--fork'] },
])(
  'N3: in a PID namespace $where, what we write is not taken for others’, and what others write is',
  async ({ inside }) => {
    const [program = '', ...args] = [...inside, process.execPath, '--import', 'tsx', counting];
    const said = await run(program, args, { timeoutMs: 20_000 });
    expect(`${said}`.trim()).toBe('ours 0, theirs 1');
  },
);
