/** An exec as `GET /exec/{id}/json` shows it. Pure. */
import type { ExecInstance } from '../../engine/contract.js';
import type { Answer } from '../schema/answer.js';

export const presentExec = (exec: ExecInstance): Answer<'ExecInspectResponse'> => {
  const { request } = exec;
  return {
    ID: exec.id,
    Running: exec.running,
    ExitCode: exec.exitCode,
    ProcessConfig: {
      tty: request.tty,
      entrypoint: request.command[0] ?? '',
      arguments: request.command.slice(1),
      privileged: request.privileged,
      user: request.user,
    },
    OpenStdin: request.attachStdin,
    OpenStdout: request.attachStdout,
    OpenStderr: request.attachStderr,
    CanRemove: false,
    ContainerID: exec.containerId,
    DetachKeys: '',
    Pid: exec.pid,
  };
};
