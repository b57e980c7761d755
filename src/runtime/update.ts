/** New limits for a running container (`docker update`), through the OCI runtime's own `update`. */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { invalid } from '../errors.js';
import type { Container } from '../model/container.js';
import type { Context } from './context.js';
import { updatedResources } from './spec/resources.js';

export const update = async (id: string, host: Container['hostConfig'], context: Context): Promise<void> => {
  context.records.need(id);
  const { runtime, facts } = context.machine;
  const child = spawn(runtime.path, [`--root=${context.layout.states}`, 'update', '--resources=-', id], {
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  const code = new Promise<number>((resolve, reject) =>
    child.once('error', reject).once('exit', (c) => resolve(c ?? 1)),
  );
  child.stdin.on('error', () => {}).end(JSON.stringify(updatedResources(host, facts.cgroup)));
  const [status, message] = await Promise.all([code, text(child.stderr)]);
  if (status !== 0) throw invalid(`Cannot update container ${id}: ${message.trim()}`);
};
