/** docker-compose 1.29, as Debian 12 has it: two services on a network of their own, from `up` to `down -v`. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { daemonForThisFile, phrasesFor } from '../support/phrases.js';
import { attempt, type Result, run, until } from '../support/run.js';

const COMPOSE = '/usr/bin/docker-compose';
const FILE = fileURLToPath(new URL('clients/docker-compose.yml', import.meta.url));

const d = daemonForThisFile({ images: ['nginx', 'nettools'] });
const { inspect, inside } = phrasesFor(d);
const options = () => ({
  env: { DOCKER_HOST: `unix://${d.socket}`, COMPOSE_PROJECT_NAME: 'shop', COMPOSE_FILE: FILE },
  timeoutMs: 60_000,
});
const compose = (...args: string[]): Promise<string> => run(COMPOSE, args, options());
const tried = (...args: string[]): Promise<Result> => attempt(COMPOSE, args, options());
const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');
const idOf = (name: string): Promise<string> => inspect('{{.Id}}', name);

describe.skipIf(!existsSync(COMPOSE))(`O11 docker-compose 1.29 (${COMPOSE})`, () => {
  beforeAll(async () => {
    expect(await run(COMPOSE, ['version', '--short'])).toMatch(/^1\.29\./);
  });
  afterEach(() => compose('down', '-v', '--remove-orphans', '-t', '0'));

  test('up -d: a network, a volume, containers that find each other by name and alias', async () => {
    await compose('up', '-d');
    expect(lines(await d.docker('network', 'ls', '--format', '{{.Name}}', '-f', 'type=custom'))).toEqual([
      'shop_front',
    ]);
    expect(await d.docker('volume', 'ls', '-q')).toBe('shop_data');
    for (const name of ['db', 'database', 'shop_db_1']) {
      expect(await inside('shop_web_1', `nc ${name} 5432 </dev/null`)).toBe('hello from db');
    }
    expect(await inspect('{{index .Config.Labels "com.docker.compose.service"}}', 'shop_web_1')).toBe('web');
    const second = await tried('up', '-d'); // nothing changed: nothing is made again
    expect(second.stderr).toContain('shop_db_1 is up-to-date');
  });

  test('ps, port, logs, exec, top, run', async () => {
    await compose('up', '-d');
    expect(await compose('ps')).toMatch(/shop_web_1 .* Up .*0\.0\.0\.0:\d+->80\/tcp/);
    const address = await compose('port', 'web', '80');
    expect(address).toMatch(/^0\.0\.0\.0:\d+$/);
    expect(await d.host(`curl -s http://${address.replace('0.0.0.0', '127.0.0.1')}/`)).toContain(
      'Welcome to nginx!',
    );
    expect(await compose('logs', '--no-color', 'web')).toContain('start worker process');
    expect(await compose('exec', '-T', 'db', 'sh', '-c', 'echo $GREETING')).toBe('hello from db');
    expect((await tried('exec', '-T', 'db', 'sh', '-c', 'exit 6')).code).toBe(6);
    expect(await compose('top', 'db')).toContain('socat');
    expect(await compose('run', '--rm', '-T', 'db', 'sh', '-c', 'nc db 5432 </dev/null')).toBe(
      'hello from db',
    );
  });

  test('--scale: two of one service share its name', async () => {
    await compose('up', '-d', '--scale', 'web=2');
    const answers = async () => lines(await inside('shop_db_1', 'dig +short web | sort'));
    const one = await inspect('{{.NetworkSettings.Networks.shop_front.IPAddress}}', 'shop_web_1');
    const two = await inspect('{{.NetworkSettings.Networks.shop_front.IPAddress}}', 'shop_web_2');
    expect(await answers()).toEqual([one, two].sort());
    await compose('up', '-d', '--scale', 'web=1');
    expect(await answers()).toEqual([one]);
  });

  test('--force-recreate: new containers, the same volume, names still right', async () => {
    await compose('up', '-d');
    await inside('shop_db_1', 'echo kept > /var/data/file');
    const before = await idOf('shop_db_1');
    await compose('up', '-d', '--force-recreate', '-t', '0');
    expect(await idOf('shop_db_1')).not.toBe(before);
    expect(await inside('shop_db_1', 'cat /var/data/file')).toBe('kept');
    expect(await inside('shop_web_1', 'nc db 5432 </dev/null')).toBe('hello from db');
  });

  test('stop, start, restart, pause, kill, rm', async () => {
    await compose('up', '-d');
    const status = () => inspect('{{.State.Status}}', 'shop_db_1');
    await compose('stop', '-t', '0');
    expect(await status()).toBe('exited');
    await compose('start');
    expect(await status()).toBe('running');
    await compose('pause', 'db');
    expect(await status()).toBe('paused');
    await compose('unpause', 'db');
    await compose('restart', '-t', '0', 'db');
    expect(await inside('shop_web_1', 'nc db 5432 </dev/null')).toBe('hello from db');
    await compose('kill', 'db');
    await compose('rm', '-f', 'db');
    expect((await d.docker.try(['inspect', 'shop_db_1'])).code).not.toBe(0);
  });

  test('up in front shows what the services say and ends with them', async () => {
    const front = tried('up', '--no-color');
    await until('both services run', async () => lines(await d.docker('ps', '-q')).length === 2, 30_000);
    await compose('kill');
    expect((await front).stdout).toMatch(/web_1 +\|.*start worker process/);
  });

  test('events tells what its containers do', async () => {
    await compose('up', '-d');
    const heard = join(d.world.base, 'events');
    const listening = attempt('sh', ['-c', `exec timeout 8 ${COMPOSE} events >${heard} 2>&1`], options());
    await until(
      'an event is told',
      async () => {
        await d.docker('pause', 'shop_db_1'); // again and again: nobody says when it has begun to listen
        await d.docker('unpause', 'shop_db_1');
        return readFileSync(heard, 'utf8').includes('container pause');
      },
      6_000,
    );
    await compose('down', '-t', '0');
    expect(readFileSync(heard, 'utf8')).toMatch(/container die [0-9a-f]{64} .*name=shop_db_1/);
    await listening;
  });

  test('down -v: nothing of it is left', async () => {
    await compose('up', '-d');
    await compose('down', '-v', '-t', '0');
    expect(await d.docker('ps', '-aq')).toBe('');
    expect(await d.docker('network', 'ls', '-q', '-f', 'type=custom')).toBe('');
    expect(await d.docker('volume', 'ls', '-q')).toBe('');
  });
});
