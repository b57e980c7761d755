/** Which namespaces are new, joined or the host's. */
import type { StartRequest } from '../contract.js';
import type { OciNamespace } from './oci.js';

const joined = (
  type: 'pid' | 'ipc',
  mode: string | undefined,
  pid: number | undefined,
): readonly OciNamespace[] =>
  mode === 'host' ? [] : [pid === undefined ? { type } : { type, path: `/proc/${pid}/ns/${type}` }];

export const namespaces = (request: StartRequest, cgroupVersion: 1 | 2): readonly OciNamespace[] => {
  const host = request.container.hostConfig;
  // Docker's default: private with cgroup v2, the host's with v1; a privileged container sees the host's.
  const cgroupns = host.CgroupnsMode || (cgroupVersion === 2 && !host.Privileged ? 'private' : 'host');
  return [
    { type: 'mount' },
    ...(request.netns === '' ? [] : [{ type: 'network', path: request.netns } as const]),
    ...joined('pid', host.PidMode, request.pidOf?.pid),
    ...joined('ipc', host.IpcMode, request.pidOf?.ipc),
    ...(host.UTSMode === 'host' ? [] : [{ type: 'uts' } as const]),
    ...(cgroupns === 'private' ? [{ type: 'cgroup' } as const] : []),
  ];
};
