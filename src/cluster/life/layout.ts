/** Where a node's files are. */
import { join } from 'node:path';

export const layout = (dataRoot: string, execRoot: string) => {
  const directory = join(dataRoot, 'swarm');
  const run = join(execRoot, 'swarm');
  return {
    directory,
    run,
    state: join(directory, 'state.json'),
    certificate: join(directory, 'node.crt'),
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
