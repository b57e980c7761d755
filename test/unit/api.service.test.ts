/** S3: Docker's ServiceSpec and the model's: what goes in comes out, and what cannot be is refused in moby's words. */
import { describe, expect, test } from 'vitest';
import { presentServiceSpec } from '../../src/api/present/service-spec.js';
import { readServiceSpec } from '../../src/api/read/service.js';
import { validateSpec } from '../../src/cluster/control/commands/validate.js';

const read = (body: unknown, minor = 52) =>
  readServiceSpec(body, { minor, registryAuth: '', name: () => 'brave_bohr' });
const withTask = (task: object, more: object = {}) => ({
  Name: 'web',
  TaskTemplate: { ContainerSpec: { Image: 'nginx' }, ...task },
  ...more,
});
/** As JSON has it. */
const shown = (body: unknown, insertDefaults = false): unknown =>
  JSON.parse(JSON.stringify(presentServiceSpec(read(body), insertDefaults)));

describe('S3: a service’s spec', () => {
  test('comes out as it went in', () => {
    const body = {
      Name: 'web',
      Labels: { a: 'b' },
      TaskTemplate: {
        ContainerSpec: {
          Image: 'nginx:1',
          Args: ['-g', 'daemon off;'],
          Env: ['A=1'],
          StopGracePeriod: 3e9,
          Isolation: 'default',
          Mounts: [{ Type: 'volume', Source: 'v', Target: '/v' }],
          Secrets: [{ File: { Name: 's', UID: '0', GID: '0', Mode: 292 }, SecretID: 'i', SecretName: 's' }],
          Configs: [{ Runtime: {}, ConfigID: 'c', ConfigName: 'c' }],
        },
        Resources: {
          Limits: { MemoryBytes: 1e9, Pids: 100 },
          Reservations: {
            NanoCPUs: 5e8,
            GenericResources: [{ DiscreteResourceSpec: { Kind: 'gpu', Value: 2 } }],
          },
        },
        RestartPolicy: { Condition: 'on-failure', Delay: 1e9, MaxAttempts: 3 },
        Placement: {
          Constraints: ['node.role == worker'],
          Preferences: [{ Spread: { SpreadDescriptor: 'node.labels.zone' } }],
          MaxReplicas: 2,
          Platforms: [{ Architecture: 'amd64', OS: 'linux' }],
        },
        Networks: [{ Target: 'net', Aliases: ['w'] }],
        ForceUpdate: 1,
        Runtime: 'container',
      },
      Mode: { Replicated: { Replicas: 3 } },
      UpdateConfig: { Parallelism: 2, FailureAction: 'rollback', MaxFailureRatio: 0.5, Order: 'start-first' },
      EndpointSpec: {
        Mode: 'vip',
        Ports: [{ Protocol: 'udp', TargetPort: 53, PublishedPort: 5353, PublishMode: 'host' }],
      },
    };
    expect(shown(body)).toEqual(body);
  });
  test.each<object>([
    {},
    {
      TaskTemplate: {
        ContainerSpec: { Image: 'a', Isolation: 'process', Privileges: {}, Healthcheck: {}, Mounts: [] },
      },
    },
    {
      TaskTemplate: {
        ContainerSpec: {
          Image: 'a',
          Privileges: { NoNewPrivileges: true },
          Mounts: [{ Target: '/t', TmpfsOptions: {} }],
        },
        Resources: { Limits: {}, Reservations: {} },
        RestartPolicy: {},
        Placement: {},
        Networks: [{ Target: 'n' }],
        LogDriver: { Name: 'local' },
      },
      Mode: { ReplicatedJob: {} },
      UpdateConfig: {},
      RollbackConfig: { Parallelism: 1 },
      EndpointSpec: { Ports: [{ TargetPort: 1 }] },
    },
  ])('sent back as it is shown is no change: %j', (body) => {
    const sent = { Name: 'web', TaskTemplate: { ContainerSpec: { Image: 'a' } }, ...body };
    expect(read(shown(sent))).toEqual(read(sent));
  });
  test('is shown without what its user left out, or with what holds instead', () => {
    expect(shown({ TaskTemplate: { ContainerSpec: { Image: 'nginx' } } })).toEqual({
      Name: 'brave_bohr',
      Labels: {},
      TaskTemplate: {
        ContainerSpec: { Image: 'nginx', Isolation: 'default' },
        ForceUpdate: 0,
        Runtime: 'container',
      },
      Mode: { Replicated: { Replicas: 1 } },
    });
    const UPDATE = {
      Parallelism: 1,
      FailureAction: 'pause',
      Monitor: 5e9,
      MaxFailureRatio: 0,
      Order: 'stop-first',
    };
    expect(shown(withTask({}), true)).toMatchObject({
      TaskTemplate: {
        ContainerSpec: { StopGracePeriod: 10e9, DNSConfig: {} },
        RestartPolicy: { Condition: 'any', Delay: 5e9, MaxAttempts: 0 },
        Resources: {},
        Placement: {},
      },
      UpdateConfig: UPDATE,
      RollbackConfig: UPDATE,
    });
  });
  test('credentials are kept and never shown', () => {
    const spec = readServiceSpec(withTask({}), { minor: 52, registryAuth: 'c2VjcmV0', name: () => '' });
    expect(spec.task.registryAuth).toBe('c2VjcmV0');
    expect(JSON.stringify(presentServiceSpec(spec, true))).not.toContain('c2VjcmV0');
  });
  test('older clients cannot mean what came later', () => {
    const task = {
      ContainerSpec: { Image: 'nginx', Sysctls: { a: '1' }, CapabilityAdd: ['X'], OomScoreAdj: 5 },
      Placement: { MaxReplicas: 2 },
    };
    expect(read(withTask(task), 39).task).toMatchObject({ placement: { maxReplicas: 0 } });
    expect(read(withTask(task), 39).task.container).toEqual({ Image: 'nginx' });
    expect(read(withTask({}, { Networks: [{ Target: 'n' }] }), 43).task.networks).toHaveLength(1);
    expect(read(withTask({}, { Networks: [{ Target: 'n' }] }), 44).task.networks).toHaveLength(0);
    expect(read(withTask({}, { Mode: { GlobalJob: {} } }), 40).mode.kind).toBe('replicated');
  });
});

describe('S3: what is refused', () => {
  const INVALID = 'rpc error: code = InvalidArgument desc = ';
  test.each<[string, object]>([
    ['mismatched Runtime and *Spec fields', { Name: 'web' }],
    ['unsupported runtime', withTask({ Runtime: 'attachment' })],
    ['must specify only one service mode', withTask({}, { Mode: { Global: {}, Replicated: {} } })],
    ['invalid RestartCondition: "sometimes"', withTask({ RestartPolicy: { Condition: 'sometimes' } })],
    [
      'unrecognized update failure action explode',
      withTask({}, { UpdateConfig: { FailureAction: 'explode' } }),
    ],
    ['unrecognized update order x', withTask({}, { UpdateConfig: { Order: 'x' } })],
    ['invalid resolution mode: "x"', withTask({}, { EndpointSpec: { Mode: 'x' } })],
    ['memory swap provided, but no memory-limit was set', withTask({ Resources: { SwapBytes: 1 } })],
    [`${INVALID}ContainerSpec: image reference must be provided`, withTask({ ContainerSpec: {} })],
    [
      `${INVALID}ContainerSpec: "A B" is not a valid repository/tag`,
      withTask({ ContainerSpec: { Image: 'A B' } }),
    ],
  ])('%s', (text, body) => {
    expect(() => read(body)).toThrow(text);
  });

  const port = { Protocol: 'tcp', TargetPort: 80, PublishedPort: 80 };
  test.each<[string, object]>([
    ['name must be valid as a DNS name component', withTask({}, { Name: 'a.b' })],
    ['name must be 63 characters or fewer', withTask({}, { Name: 'a'.repeat(64) })],
    ['invalid cpu value 1e-9: Must be at least 0.001', withTask({ Resources: { Limits: { NanoCPUs: 1 } } })],
    [
      'invalid memory value 1: Must be at least 4MiB',
      withTask({ Resources: { Limits: { MemoryBytes: 1 } } }),
    ],
    ['TaskSpec: restart-delay cannot be negative', withTask({ RestartPolicy: { Delay: -1 } })],
    ['TaskSpec: update-delay cannot be negative', withTask({}, { UpdateConfig: { Delay: -1 } })],
    [
      'TaskSpec: update-maxfailureratio cannot be less than 0 or bigger than 1',
      withTask({}, { UpdateConfig: { MaxFailureRatio: 2 } }),
    ],
    ['Number of replicas must be non-negative', withTask({}, { Mode: { Replicated: { Replicas: -1 } } })],
    ['Jobs may not have an update config', withTask({}, { Mode: { GlobalJob: {} }, UpdateConfig: {} })],
    [
      'EndpointSpec: duplicate published ports provided',
      withTask({}, { EndpointSpec: { Ports: [port, port] } }),
    ],
    [
      "EndpointSpec: port published with ingress mode can't be used with dnsrr mode",
      withTask({}, { EndpointSpec: { Mode: 'dnsrr', Ports: [port] } }),
    ],
    [
      'ContainerSpec: duplicate mount point: /x',
      withTask({ ContainerSpec: { Image: 'a', Mounts: [{ Target: '/x' }, { Target: '/x' }] } }),
    ],
    [
      'malformed secret reference, no target provided',
      withTask({ ContainerSpec: { Image: 'a', Secrets: [{ SecretID: 'i', SecretName: 'n' }] } }),
    ],
  ])('by swarmkit: %s', (text, body) => {
    expect(() => validateSpec(read(body))).toThrow(`${INVALID}${text}`);
  });
  test('a constraint that cannot be read, without a code', () => {
    expect(() => validateSpec(read(withTask({ Placement: { Constraints: ['x'] } })))).toThrow(
      'rpc error: code = Unknown desc = constraint expected one operator from ==, !=',
    );
  });
});
