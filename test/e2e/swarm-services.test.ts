/** S3, S10: services, secrets and configs as a manager keeps them, with the real client. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Lab, startLab } from '../support/lab.js';
import { until } from '../support/run.js';

let lab: Lab;

beforeAll(async () => {
  lab = await startLab(1, { images: ['alpine'] });
  const { docker, ipv4 } = lab.host(1);
  await docker('swarm', 'init', '--advertise-addr', ipv4);
}, 120_000);
afterAll(() => lab?.stop(), 60_000);
afterEach(async () => {
  const left = await docker('service', 'ls', '-q');
  if (left !== '') await docker('service', 'rm', ...left.split('\n'));
});

const docker = (...args: string[]): Promise<string> => lab.host(1).docker(...args);
const refused = async (...args: string[]): Promise<string> => {
  const { code, stderr } = await lab.host(1).docker.try(args);
  expect(code).not.toBe(0);
  return stderr;
};
/** Without waiting for tasks. */
const create = (...args: string[]): Promise<string> => docker('service', 'create', '-d', ...args);
const inspect = async (kind: string, name: string) => JSON.parse(await docker(kind, 'inspect', name))[0];

describe('S3: a service’s record', () => {
  test('S3: is made, listed, inspected and removed', async () => {
    const id = await create(
      '--name',
      'web',
      '--label',
      'a=b',
      '--replicas',
      '2',
      '-e',
      'A=1',
      'alpine',
      'top',
    );
    expect(id).toMatch(/^[0-9a-z]{25}$/);
    expect(await docker('service', 'ls', '--format', '{{.ID}} {{.Name}} {{.Mode}} {{.Image}}')).toBe(
      `${id.slice(0, 12)} web replicated alpine:latest`,
    );
    expect(await inspect('service', 'web')).toMatchObject({
      ID: id,
      Spec: { Name: 'web', Labels: { a: 'b' }, Mode: { Replicated: { Replicas: 2 } } },
    });
    expect(await docker('service', 'inspect', '--pretty', id.slice(0, 8))).toContain(
      'Service Mode:\tReplicated',
    );
    expect(await docker('service', 'ls', '-q', '--filter', 'label=a=b')).toBe(id.slice(0, 12));
    expect(await docker('service', 'ls', '-q', '--filter', 'mode=global')).toBe('');
    expect(await refused('service', 'ls', '--filter', 'bogus=1')).toContain("invalid filter 'bogus'");
    expect(await docker('service', 'rm', 'web')).toBe('web');
    expect(await refused('service', 'inspect', 'web')).toContain('no such service: web');
  });

  test('S3: is refused where it cannot be', async () => {
    await create('--name', 'one', '-p', '8080:80', 'alpine');
    expect(await refused('service', 'create', '-d', '--name', 'one', 'alpine')).toContain(
      'name conflicts with an existing object: service one already exists',
    );
    expect(await refused('service', 'create', '-d', '--name', 'a.b', 'alpine')).toContain(
      'name must be valid as a DNS name component',
    );
    expect(await refused('service', 'create', '-d', '-p', '8080:80', 'alpine')).toMatch(
      /port '8080' is already in use by service 'one' \([0-9a-z]{25}\) as an ingress port/,
    );
    expect(await refused('service', 'create', '-d', '--network', 'none-such', 'alpine')).toContain(
      'network none-such not found',
    );
    expect(await refused('service', 'create', '-d', '--network', 'none', 'alpine')).toContain(
      'network none not found',
    );
    expect(await refused('service', 'create', '-d', '--secret', 'none-such', 'alpine')).toContain(
      'secret not found: none-such',
    );
    expect(await refused('service', 'scale', '-d', 'none-such=1')).toContain('service none-such not found');
  });

  test('S3: is changed, scaled and rolled back', async () => {
    await create('--name', 'web', '--replicas', '1', 'alpine:1', 'top');
    await docker('service', 'update', '-d', '--image', 'alpine:2', '--limit-memory', '64m', 'web');
    const spec = async () => (await inspect('service', 'web')).Spec;
    expect((await spec()).TaskTemplate).toMatchObject({
      ContainerSpec: { Image: 'alpine:2' },
      Resources: { Limits: { MemoryBytes: 64 * 1024 * 1024 } },
    });
    await docker('service', 'rollback', '-d', 'web');
    expect((await spec()).TaskTemplate.ContainerSpec.Image).toBe('alpine:1');
    await docker('service', 'scale', '-d', 'web=3');
    expect((await spec()).Mode.Replicated.Replicas).toBe(3);
    expect(await docker('service', 'ls', '--format', '{{.Replicas}}')).toMatch(/^\d\/3$/);
  });

  test('S3: a change made from an old version is refused', async () => {
    await create('--name', 'web', 'alpine', 'top');
    const { ID, Version, Spec } = await inspect('service', 'web');
    await docker('service', 'update', '-d', '--label-add', 'x=y', 'web');
    const { host, socket } = lab.host(1);
    const said = await host(
      `curl -s --unix-socket ${socket} -H 'Content-Type: application/json' -d '${JSON.stringify(Spec)}' 'http://d/v1.52/services/${ID}/update?version=${Version.Index}'`,
    );
    expect(said).toContain('update out of sequence');
  });
});

describe.each(['secret', 'config'])('S10: a %s', (kind) => {
  test(`S10: a ${kind} is made, listed, inspected, kept while it is used, and removed`, async () => {
    const { host } = lab.host(1);
    await host('echo -n shibboleth > /tmp/word');
    const id = await docker(kind, 'create', '--label', 'a=b', 'word', '/tmp/word');
    expect(await docker(kind, 'ls', '--format', '{{.ID}} {{.Name}}', '--filter', 'name=wo')).toBe(
      `${id} word`,
    );
    const shown = await inspect(kind, 'word');
    expect(shown).toMatchObject({ ID: id, Spec: { Name: 'word', Labels: { a: 'b' } } });
    expect(shown.Spec.Data).toBe(
      kind === 'config' ? Buffer.from('shibboleth').toString('base64') : undefined,
    );
    expect(await refused(kind, 'create', 'word', '/tmp/word')).toContain(`${kind} word already exists`);
    expect(await refused(kind, 'create', 'word.', '/tmp/word')).toContain('invalid name');
    await create('--name', 'user', `--${kind}`, 'word', 'alpine', 'top');
    expect(await refused(kind, 'rm', 'word')).toContain(
      `${kind} 'word' is in use by the following service: user`,
    );
    await docker('service', 'rm', 'user');
    expect(await docker(kind, 'rm', 'word')).toBe('word');
    expect(await docker(kind, 'ls', '-q')).toBe('');
    expect(await refused(kind, 'inspect', 'word')).toContain('word');
  });
});

test('S10: what a secret says is in no file', async () => {
  const { host, dataRoot } = lab.host(1);
  const make = async (kind: string, name: string, data: string): Promise<string> => {
    await host(`echo -n ${data} > /tmp/${name}`);
    await docker(kind, 'create', name, `/tmp/${name}`);
    await host(`rm /tmp/${name}`);
    const base64 = Buffer.from(data).toString('base64');
    return host(`grep -rlae ${data} -e ${base64} ${dataRoot} || true`);
  };
  // That this looks where it would be is shown by what is not secret.
  expect(await make('config', 'open', 'abracadabra')).toContain('/swarm/etcd');
  expect(await make('secret', 'closed', 'xyzzyxyzzy')).toBe('');
  await docker('config', 'rm', 'open');
  await docker('secret', 'rm', 'closed');
});

test('S3 S10: events tell of services, secrets and configs', async () => {
  const { host } = lab.host(1);
  const since = await host('date +%s.%N');
  await create('--name', 'told', 'alpine', 'top');
  await docker('service', 'scale', '-d', 'told=4');
  await docker('service', 'rm', 'told');
  await host('echo -n x > /tmp/word');
  await docker('secret', 'create', 'told', '/tmp/word');
  await docker('secret', 'rm', 'told');
  const format =
    '{{.Type}} {{.Action}} {{.Actor.Attributes.name}} {{index .Actor.Attributes "replicas.new"}}';
  const until = await host('date +%s.%N');
  const told = await docker(
    'events',
    '--since',
    since,
    '--until',
    until,
    '--filter',
    'scope=swarm',
    '--format',
    format,
  );
  const lines = told.split('\n').map((line) => line.trim());
  expect(lines).toContain('service create told');
  expect(lines).toContain('service update told 4');
  expect(lines).toContain('service remove told');
  expect(lines.filter((line) => line.startsWith('secret'))).toEqual([
    'secret create told',
    'secret remove told',
  ]);
});

const running = async (name: string): Promise<readonly string[]> =>
  (await docker('service', 'ps', '-q', '--filter', 'desired-state=running', name)).split('\n').sort();

const STACK = `
version: "3.8"
services:
  front: {image: alpine, command: cat /run/secrets/word /conf, stop_grace_period: 1s, networks: [back], secrets: [word],
    configs: [{source: conf, target: /conf}], deploy: {replicas: 2, restart_policy: {condition: none}}}
  db: {image: alpine, command: top, stop_grace_period: 1s, networks: [back]}
networks: {back: {}}
secrets: {word: {file: ./word}}
configs: {conf: {file: ./word}}
`;

describe('S3 S10: what runs', () => {
  test('S3: tasks stay when there are to be more of them, and are others after an update', async () => {
    const web = ['--name', 'web', '--stop-grace-period', '1s', '--update-monitor', '1s'];
    await docker('service', 'create', '-q', ...web, 'alpine', 'top');
    const [first] = await running('web');
    await docker('service', 'scale', '-d', 'web=3');
    const three = async () => (await docker('service', 'ls', '--format', '{{.Replicas}}')) === '3/3';
    await until('three run', three);
    expect(await running('web')).toContain(first);
    await docker('service', 'update', '-q', '--env-add', 'A=1', '--update-parallelism', '0', 'web');
    await until('three run', three);
    expect(await running('web')).not.toContain(first);
  });

  test('S10: a stack is deployed, shown, deployed again and removed', async () => {
    const { host } = lab.host(1);
    const file = `${lab.host(1).dataRoot}/stack/compose.yml`;
    await host(`mkdir -p ${file.replace('/compose.yml', '')}`);
    await host(
      `cat > ${file} <<'EOF'\n${STACK}\nEOF\necho abracadabra > ${file.replace('compose.yml', 'word')}`,
    );
    await docker('stack', 'deploy', '-d', '-c', file, 'shop');
    expect(await docker('stack', 'ls', '--format', '{{.Name}} {{.Services}}')).toBe('shop 2');
    const states = () => docker('stack', 'ps', '--format', '{{.Name}} {{.CurrentState}}', 'shop');
    await until('the fronts have read their files', async () =>
      /front.1 Complete.*front.2 Complete/s.test(await states()),
    );
    await until('the database runs', async () => /db.1 Running/.test(await states()));
    expect(
      await docker(
        'stack',
        'services',
        '--format',
        '{{.Name}} {{.Replicas}}',
        '--filter',
        'name=shop_db',
        'shop',
      ),
    ).toBe('shop_db 1/1');
    const database = await running('shop_db');
    expect(await docker('stack', 'deploy', '-d', '-c', file, 'shop')).toContain('Updating service shop_db');
    expect(await running('shop_db')).toEqual(database);
    await docker('stack', 'rm', 'shop');
    for (const kind of ['secret', 'config', 'service']) expect(await docker(kind, 'ls', '-q')).toBe('');
    expect(await docker('network', 'ls', '-q', '--filter', 'name=shop')).toBe('');
  });
});
