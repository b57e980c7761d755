/** Legacy links on the default network, whole: to whom they lead, by which names, and what removing one closes (E5). */
import { describe, expect, test } from 'vitest';
import { daemonForThisFile, phrasesFor } from '../support/phrases.js';
import { until } from '../support/run.js';

const d = daemonForThisFile({
  flags: ['--icc=false'],
  images: ['alpine', 'nettools'],
  env: { DOCKER_KEEP_DEPRECATED_LEGACY_LINKS_ENV_VARS: '0' },
});
const { inspect, sleeper, inside, addressOf } = phrasesFor(d);
const links = (name: string) => inspect('{{json .HostConfig.Links}}', name);
const refused = async (...args: string[]) => (await d.docker.try(args)).stderr;

describe('E5 links', () => {
  test('M15 C19 a: rm --link takes the link and what it opened, both containers go on', async () => {
    await d.docker(
      'run',
      '-d',
      '--name',
      'srv',
      '--expose',
      '80',
      'nettools',
      'socat',
      'TCP-LISTEN:80,fork',
      'SYSTEM:echo hello',
    );
    await d.docker('run', '-d', '--name', 'cli', '--link', 'srv:alias', 'nettools', 'sleep', '600');
    const ask = (host: string) =>
      d.docker.try(['exec', 'cli', 'timeout', '2', 'socat', '-', `TCP:${host}:80`]);
    await until('the link is open', async () => (await ask('alias')).stdout.includes('hello'));
    expect(await links('cli')).toBe('["/srv:/cli/alias"]');

    await d.docker('rm', '--link', '/cli/alias');
    expect(await links('cli')).toBe('null');
    expect(await inside('cli', 'cat /etc/hosts')).not.toContain('alias');
    expect((await ask(await addressOf('srv'))).stdout).toBe('');
    expect(await d.docker('ps', '--format', '{{.Names}}')).toBe('cli\nsrv');
    expect(await refused('rm', '--link', '/cli/alias')).toContain('No such container: cli/alias');
    expect(await refused('rm', '--link', 'cli')).toContain('Conflict, cannot remove the default link name');
  });

  test('E5 a daemon that is told so gives no variables, as Docker 29; the name is there', async () => {
    await d.docker('run', '-d', '--name', 'srv', '--expose', '80', '-e', 'A=1', 'alpine', 'sleep', '600');
    await sleeper('cli', '--link', 'srv:alias');
    expect(await d.docker('exec', 'cli', 'env')).not.toContain('ALIAS_');
    expect(await inside('cli', 'cat /etc/hosts')).toContain(`${await addressOf('srv')}\talias`);
  });

  test('M15: containers go by the names of links in inspect, rename and ps, as long as the link is there', async () => {
    await sleeper('srv');
    await d.docker('create', '--name', 'cli', '--link', 'srv:alias', 'alpine', 'true');
    const id = await inspect('{{.Id}}', 'srv');
    expect(await inspect('{{.Id}}', '/cli/alias')).toBe(id);
    expect(await d.docker('ps', '-a', '--no-trunc', '--format', '{{.Names}}')).toBe('cli\nsrv,cli/alias');
    await d.docker('rename', 'cli', 'other');
    expect(await inspect('{{.Id}}', 'other/alias')).toBe(id);
    expect(await refused('inspect', 'cli/alias')).toMatch(/no such object/i);
    await d.docker('rename', 'srv', 'served');
    expect(await links('other')).toBe('["/served:/other/alias"]');
    await d.docker('rm', 'other');
    expect(await d.docker('ps', '-a', '--no-trunc', '--format', '{{.Names}}')).toBe('served');
  });

  test('M15 b c d e: who cannot be linked to', async () => {
    await d.docker('network', 'create', 'n');
    await sleeper('elsewhere', '--network', 'n');
    await sleeper('onhost', '--network', 'host');
    await sleeper('srv');
    expect(await refused('run', '--name', 'b1', '--link', 'elsewhere:x', 'alpine', 'true')).toContain(
      'not attached to default bridge network',
    );
    await d.docker('network', 'connect', 'bridge', 'elsewhere');
    await d.docker('start', '-a', 'b1');
    expect(await refused('run', '--link', 'onhost:x', 'alpine', 'true')).toContain(
      "conflicting options: host type networking can't be used with links",
    );
    await d.docker('create', '--name', 'cli', '--link', 'srv:alias', 'alpine', 'grep', 'alias', '/etc/hosts');
    await d.docker('stop', 'srv');
    expect(await refused('start', 'cli')).toContain(
      'Cannot link to a non running container: /srv AS /cli/alias',
    );
    await d.docker('rm', 'srv');
    await sleeper('srv');
    expect(await refused('start', 'cli')).toContain(
      'Cannot link to a non running container: /srv AS /cli/alias',
    );
    await d.restart();
    expect(await refused('start', 'cli')).toContain(
      'Cannot link to a non running container: /srv AS /cli/alias',
    );
  });

  test('M15 f: on a user-defined network a link is a name, whether anybody has it or not', async () => {
    await d.docker('network', 'create', 'n');
    await sleeper('first', '--network', 'n');
    await sleeper('second', '--network', 'n', '--link', 'first:one', '--link', 'nosuch:two');
    expect(await inside('second', 'nslookup one')).toContain(await addressOf('first', 'n'));
    expect(await refused('run', '--link', 'nosuch:two', 'alpine', 'true')).toContain(
      'could not get container for nosuch',
    );
  });

  test('M15: a link is a name on its own network alone', async () => {
    await d.docker('network', 'create', 'one');
    await d.docker('network', 'create', 'two');
    await sleeper('target', '--network', 'one');
    await sleeper('asker', '--network', 'one', '--link', 'target:InOne');
    await d.docker('network', 'connect', 'two', 'target');
    await d.docker('network', 'connect', '--link', 'target:InTwo', 'two', 'asker');
    expect(await inside('asker', 'nslookup InOne')).toContain(await addressOf('target', 'one'));
    await d.docker('network', 'disconnect', 'one', 'target');
    expect(await inside('asker', 'nslookup InTwo')).toContain(await addressOf('target', 'two'));
    expect(await inside('asker', 'nslookup InOne || echo unknown')).toContain('unknown');
  });
});
