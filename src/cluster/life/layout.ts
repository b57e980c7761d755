/** Where a node of a swarm has its files: below the data root what outlives a reboot, below the exec root what does not. */
import { join } from 'node:path';

export const layout = (dataRoot: string, execRoot: string) => {
  const directory = join(dataRoot, 'swarm');
  const run = join(execRoot, 'swarm');
  return {
    directory,
    run,
    state: join(directory, 'state.json'),
    certificate: join(directory, 'node.crt'),
    /** of a key that is being written */
    nextCertificate: join(directory, 'node.crt.next'),
    agent: join(directory, 'agent.json'),
    trust: join(directory, 'ca.crt'),
    etcdData: join(directory, 'etcd'),
    etcdRun: join(run, 'etcd'),
    etcdLog: join(directory, 'etcd.log'),
    serf: join(run, 'serf'),
    serfLog: join(directory, 'serf.log'),
    lease: join(run, 'lease'),
    /** not below `run`, which goes at once when the node leaves: what is mounted is unmounted first */
    taskFiles: join(execRoot, 'task-files'),
  };
};
export type Layout = ReturnType<typeof layout>;
