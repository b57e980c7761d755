/** S3: which files a task’s secrets and configs are, or why there are none. */
import { describe, expect, test } from 'vitest';
import { filesOf } from '../../src/cluster/agent/files.js';
import { type AssignedItem, itemKey } from '../../src/cluster/session/assigned.js';
import type { FileReference } from '../../src/model/swarm/service.js';

const ITEMS: readonly AssignedItem[] = [
  { kind: 'secret', id: 's1', name: 'key', data: Buffer.from('secret').toString('base64') },
  { kind: 'config', id: 'c1', name: 'conf', data: Buffer.from('config').toString('base64') },
];
const items = new Map(ITEMS.map((item) => [itemKey(item), item]));
const found = (key: string) => items.get(key);
const file = { name: 'x', uid: '0', gid: '0', mode: 0o444 };
const secret = (changes: Partial<FileReference> = {}): FileReference => ({
  ...{ id: 's1', name: 'key', file },
  ...changes,
});
const config = (changes: Partial<FileReference> = {}): FileReference => ({
  ...{ id: 'c1', name: 'conf', file },
  ...changes,
});
const of = (secrets: readonly FileReference[], configs: readonly FileReference[] = []) =>
  filesOf({ secrets, configs }, found, { facts: FACTS, env: ['TIER=front', 'EMPTY'] });
const FACTS = {
  service: { id: 'sid', name: 'web', labels: { tier: 'front' } },
  node: { id: 'n1', hostname: 'host1', architecture: 'x86_64', os: 'linux' },
  task: { id: 'tid', name: 'web.2.tid', slot: '2' },
};

describe('S3: files of a task', () => {
  test('are where Docker has them, with their content', () => {
    const to = (name: string) => ({ file: { ...file, name } });
    const all = of(
      [secret(), secret(to('/etc/key'))],
      [config(), config(to('etc/a.conf')), config(to('/b'))],
    );
    expect(all.map(({ destination, data }) => `${destination} ${data}`)).toEqual([
      '/run/secrets/x secret',
      '/etc/key secret',
      '/x config',
      '/etc/a.conf config',
      '/b config',
    ]);
  });
  test('have owner and permissions, and no more of a mode than that', () => {
    const asked = { ...file, uid: '1000', gid: '', mode: 0o4640 };
    expect(of([secret({ file: asked })])).toMatchObject([{ uid: 1000, gid: 0, mode: 0o640 }]);
  });
  test('are refused in words', () => {
    expect(() => of([secret({ id: 's2' })])).toThrow('secret key is not known to this node');
    expect(() => of([], [config({ id: 's1' })])).toThrow('config conf is not known to this node');
    expect(() => of([secret({ file: { ...file, uid: 'www-data' } })])).toThrow(
      'secret key: www-data is no number of a user or a group',
    );
    const { file: _, ...runtime } = config();
    expect(() => of([], [runtime])).toThrow('config conf is for the runtime');
  });
});

describe('S10: templates of secrets and configs', () => {
  const withTemplate = (text: string, more: Partial<AssignedItem> = { template: true }) => {
    const item: AssignedItem = {
      kind: 'config',
      id: 't1',
      name: 'made',
      data: Buffer.from(text).toString('base64'),
    };
    const known = new Map([...items, ['config/t1', { ...item, ...more } as AssignedItem]]);
    const references = {
      secrets: [secret({ file: { ...file, name: 'key.txt' } })],
      configs: [config({ id: 't1', name: 'made', file: { ...file, name: '/made' } }), config()],
    };
    const all = filesOf(references, (key) => known.get(key), { facts: FACTS, env: ['TIER=a=b', 'EMPTY'] });
    return all.find(({ destination }) => destination === '/made')?.data.toString();
  };
  test('are filled in for the task that has them', () => {
    expect(
      withTemplate('{{.Task.Name}} on {{.Node.Hostname}} {{env "TIER"}}{{env "EMPTY"}}{{env "NONE"}}'),
    ).toBe('web.2.tid on host1 a=b');
    expect(withTemplate('pass={{secret "key.txt"}} {{config "x"}}')).toBe('pass=secret config');
  });
  test('those that are none stay as they are, byte for byte', () => {
    expect(withTemplate('{{.Task.Name}', {})).toBe('{{.Task.Name}');
  });
  test('what is in another is not filled in again, so that none is endless', () => {
    expect(withTemplate('{{config "/made"}}')).toBe('{{config "/made"}}');
  });
  test.each([
    [
      '{{secret "none"}}',
      'expanding config made failed: template: line 1: error calling secret: secret target none not found',
    ],
    ['\n{{.Nope}}', 'template: line 2: can’t evaluate field Nope in type template.Context'.replace('’', "'")],
    ['{{env}}', 'wrong number of args for env'],
  ])('%j: the task says why it cannot be', (text, words) => {
    expect(() => withTemplate(text)).toThrow(words);
  });
});
