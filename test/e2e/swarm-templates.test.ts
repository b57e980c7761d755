/** S3, S10: templates in what a service says, and in secrets and configs, filled in on the node of each task; with the real client. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Lab, type LabHost, startLab } from '../support/lab.js';
import { until } from '../support/run.js';

let lab: Lab;
let manager: LabHost;
let worker: LabHost;

beforeAll(async () => {
  lab = await startLab(2, { images: ['alpine'] });
  [manager, worker] = [lab.host(1), lab.host(2)];
  await manager.docker('swarm', 'init', '--dispatcher-heartbeat', '1s');
  const token = await manager.docker('swarm', 'join-token', '-q', 'worker');
  await worker.docker('swarm', 'join', '--token', token, manager.ipv4);
}, 60_000);
afterAll(() => lab?.stop(), 60_000);

const make = (kind: 'secret' | 'config', name: string, text: string, ...flags: string[]) =>
  manager.docker.try([kind, 'create', ...flags, name, '-'], { input: text });
const TEMPLATE = ['--template-driver', 'golang'];
const ON_WORKER = ['--constraint', 'node.role==worker', '--restart-condition', 'none', '--no-resolve-image'];

/** Ids of the containers of this service’s tasks on the worker, in the order of their slots. */
const containersOf = async (name: string, count: number): Promise<readonly string[]> => {
  const filter = ['--filter', `label=com.docker.swarm.service.name=${name}`];
  const list = (): Promise<string> => worker.docker('ps', ...filter, '--format', '{{.Names}} {{.ID}}');
  await until(`${name} runs`, async () => (await list()).split('\n').filter(Boolean).length === count);
  return (await list())
    .split('\n')
    .sort()
    .map((line) => line.split(' ')[1] ?? '');
};

test('S10: secrets and configs that are templates are filled in for each task, on the worker alone', async () => {
  const text = `{{.Service.Name}}.{{.Task.Slot}} on {{.Node.Hostname}} ({{.Node.Platform.OS}})
{{- range $name, $value := .Service.Labels}}
{{$name}}={{$value}}
{{- end}}
{{if eq .Task.Slot "1"}}first{{else}}other{{end}} {{env "TIER"}} {{secret "password"}} {{config "plain"}}
`;
  expect(await make('secret', 'password', 'hush-{{.Task.Slot}}')).toMatchObject({ code: 0 });
  expect(await make('config', 'plain', '{{.Task.Slot}}')).toMatchObject({ code: 0 });
  expect(await make('config', 'made', text, ...TEMPLATE)).toMatchObject({ code: 0 });
  expect(await make('secret', 'token', 'for-{{.Task.Name}}', ...TEMPLATE)).toMatchObject({ code: 0 });
  expect(await manager.docker('config', 'inspect', '--format', '{{.Spec.Templating.Name}}', 'made')).toBe(
    'golang',
  );
  expect(await manager.docker('config', 'inspect', '--format', '{{.Spec.Templating}}', 'plain')).toBe(
    '<nil>',
  );
  await manager.docker(
    ...['service', 'create', '-d', '--name', 'web', '--replicas', '2', ...ON_WORKER],
    ...['--label', 'com.example.a=1', '--label', 'b=2', '--env', 'TIER=front-{{.Task.Slot}}'],
    ...['--secret', 'password', '--secret', 'token', '--config', 'plain'],
    ...['--config', 'source=made,target=/etc/made.conf,mode=0400', 'alpine', 'sleep', 'inf'],
  );
  const ids = await containersOf('web', 2);
  for (const [i, id] of ids.entries()) {
    const slot = i + 1;
    expect(await worker.docker('exec', id, 'cat', '/etc/made.conf')).toBe(
      `web.${slot} on host2 (linux)\nb=2\ncom.example.a=1\n${slot === 1 ? 'first' : 'other'} front-${slot} hush-{{.Task.Slot}} {{.Task.Slot}}`,
    );
    const task = await worker.docker(
      'inspect',
      '--format',
      '{{index .Config.Labels "com.docker.swarm.task.name"}}',
      id,
    );
    expect(await worker.docker('exec', id, 'cat', '/run/secrets/token')).toBe(`for-${task}`);
    expect(await worker.docker('exec', id, 'cat', '/plain')).toBe('{{.Task.Slot}}');
    expect(await worker.docker('exec', id, 'stat', '-c', '%a', '/etc/made.conf')).toBe('400');
  }
  await manager.docker('service', 'rm', 'web');
});

test('S3: environment, hostname and mounts of a service', async () => {
  await manager.docker(
    ...['service', 'create', '-d', '--name', 'named', ...ON_WORKER, '--label', 'tier=front'],
    ...[
      '--hostname',
      '{{.Service.Name}}-{{.Task.Slot}}',
      '--env',
      'WHO={{index .Service.Labels "tier"}}@{{.Node.ID}}',
    ],
    ...[
      '--mount',
      'type=volume,source=data-{{.Task.Slot}},target=/{{.Service.Name}},volume-label=of={{.Task.Name}}',
    ],
    ...['alpine', 'sleep', 'inf'],
  );
  const [id = ''] = await containersOf('named', 1);
  const node = await worker.docker('info', '--format', '{{.Swarm.NodeID}}');
  expect(await worker.docker('exec', id, 'sh', '-c', 'hostname; echo $WHO')).toBe(`named-1\nfront@${node}`);
  expect(
    await worker.docker('inspect', '--format', '{{range .Mounts}}{{.Name}} {{.Destination}}{{end}}', id),
  ).toBe('data-1 /named');
  expect(await worker.docker('volume', 'inspect', '--format', '{{.Labels.of}}', 'data-1')).toMatch(
    /^named\.1\./,
  );
  await manager.docker('service', 'rm', 'named');
});

test('S10: what is no template is refused in words, and what cannot be filled in fails the task with the reason', async () => {
  const refused: readonly (readonly [text: string, words: string])[] = [
    ['a\n{{.Task.Name', 'the template of the config is not in order: template: line 2: unclosed action'],
    ['{{if .Task.Slot}}', '{{if}} has no {{end}}'],
    ['{{template "x"}}', '{{template}} is not supported'],
  ];
  for (const [text, words] of refused)
    expect(await make('config', 'bad', text, ...TEMPLATE)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(words),
    });
  expect(await make('config', 'bad', 'x', '--template-driver', 'jinja')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('template driver "jinja" is not known: there is "golang"'),
  });
  const spec = ['service', 'create', '-d', '--name', 'bad', ...ON_WORKER];
  const wrong = await manager.docker.try([...spec, '--env', 'A={{.Task.Nope}}', 'alpine', 'true']);
  expect(wrong.stderr).toContain('expanding env "A={{.Task.Nope}}" failed');
  expect(await manager.docker('service', 'ls', '-q')).toBe('');

  expect(await make('config', 'missing', '{{secret "nobody"}}', ...TEMPLATE)).toMatchObject({ code: 0 });
  await manager.docker(...spec, '--config', 'missing', 'alpine', 'true');
  await until('the task says why', async () =>
    (
      await manager.docker('service', 'ps', '--no-trunc', '--format', '{{.CurrentState}} {{.Error}}', 'bad')
    ).includes(
      'expanding config missing failed: template: line 1: error calling secret: secret target nobody not found',
    ),
  );
  await manager.docker('service', 'rm', 'bad');
});
