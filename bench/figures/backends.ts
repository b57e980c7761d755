/** What it costs a node that one of a service's thousand backends changes: where the service is called by its address, and by a published port. */
import { run } from '../../test/support/run.js';
import type { Bench, Figure } from '../bench.js';
import { startBackends } from '../load/processes.js';
import { most, type Row } from '../row.js';
import { onEnd } from '../undo.js';

const PLACES = [
  { place: 'address', where: 'a service’s address, in one sandbox' },
  { place: 'port', where: 'a published port, on one node' },
] as const;

const CHANGES = [
  { change: 'replaced', what: 'one of 1,000 backends replaced' },
  { change: 'gone', what: '… one gone' },
  { change: 'come', what: '… one come' },
] as const;

const measure = async (bench: Bench): Promise<readonly Row[]> => {
  if (!bench.names.includes('viaduct')) return [];
  const names = ['host', 'sandbox'].map((each) => `vp-${process.pid}-${each}`);
  const remove = onEnd(async () => {
    for (const name of names) await run('ip', ['netns', 'delete', name]);
  });
  for (const name of names) await run('ip', ['netns', 'add', name]);
  const [host = '', sandbox = ''] = names.map((name) => `/run/netns/${name}`);
  const backends = await startBackends(host);
  try {
    const rows: Row[] = [];
    for (const { place, where } of PLACES) {
      const times = await backends.change(place, sandbox);
      for (const { change, what } of CHANGES)
        rows.push({
          title: `${what}: ${where}`,
          unit: 'ms',
          better: 'less',
          target: most(1),
          samples: { viaduct: times[change], dockerd: [] },
          note: 'from the list of backends until the kernel has the change: plan, batch of elements, answer',
        });
    }
    return rows;
  } finally {
    backends.stop();
    await remove();
  }
};

export const backends: Figure = {
  name: 'backends',
  about: 'one of a service’s thousand backends changes',
  hosts: 'own',
  measure,
};
