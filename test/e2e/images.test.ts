/** Images by the client: load, save, import, tag, inspect, history, remove, and build of a Dockerfile with EXPOSE. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

import { daemonForThisFile, phrasesFor } from '../support/phrases.js';
import { until } from '../support/run.js';

const d = daemonForThisFile({ images: ['alpine', 'nginx'] });
const { inspect } = phrasesFor(d);
const context = (dockerfile: string, files: Record<string, string> = {}): string => {
  const directory = join(d.world.base, 'context');
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory);
  for (const [name, text] of Object.entries({ ...files, Dockerfile: dockerfile }))
    writeFileSync(join(directory, name), text);
  return directory;
};
const listed = async () =>
  (await d.docker('images', '--format', '{{.Repository}}:{{.Tag}}')).split('\n').sort();

describe('E8 images', () => {
  test('E8 what was loaded is listed, inspected, and has a history', async () => {
    expect(await listed()).toEqual(['alpine:latest', 'nginx:latest']);
    expect(await inspect('{{.Id}}', 'nginx')).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(Object.keys(JSON.parse(await inspect('{{json .Config.ExposedPorts}}', 'nginx'))).sort()).toEqual([
      '443/tcp',
      '80/tcp',
    ]);
    expect(await inspect('{{.Os}}/{{.Architecture}} {{len .RootFS.Layers}}', 'alpine')).toMatch(
      /^linux\/\w+ 1$/,
    );
    expect((await d.docker('history', '-q', 'nginx')).split('\n').length).toBeGreaterThan(0);
  });
  test('E8 tag and rmi: a name goes, the image stays while another name has it', async () => {
    await d.docker('tag', 'alpine', 'mine:1');
    expect(await inspect('{{.Id}}', 'mine:1')).toBe(await inspect('{{.Id}}', 'alpine'));
    expect(await d.docker('rmi', 'mine:1')).toBe('Untagged: mine:1');
    expect(await listed()).toEqual(['alpine:latest', 'nginx:latest']);
    expect((await d.docker.try(['inspect', 'mine:1'])).code).toBe(1);
  });
  test('E8 an image in use is not removed', async () => {
    await d.docker('run', '-d', '--name', 'c1', '--stop-timeout', '0', 'alpine', 'sleep', '600');
    const refused = await d.docker.try(['rmi', 'alpine']);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('is using');
  });
  test('E8 save and load give the same image again', async () => {
    const file = join(d.world.base, 'saved.tar');
    await d.docker('tag', 'alpine', 'copy:1');
    const id = await inspect('{{.Id}}', 'copy:1');
    await d.docker('save', '-o', file, 'copy:1');
    await d.docker('rmi', 'copy:1');
    expect(await d.docker('load', '-i', file)).toContain('Loaded image: copy:1');
    expect(await inspect('{{.Id}}', 'copy:1')).toBe(id);
    await d.docker('rmi', 'copy:1');
    expect(readFileSync(file).length).toBeGreaterThan(1000);
  });
  test('E8 export and import: a container’s files become an image', async () => {
    const file = join(d.world.base, 'exported.tar');
    await d.docker('run', '--name', 'c1', 'alpine', 'sh', '-c', 'echo made > /made');
    await d.docker('export', '-o', file, 'c1');
    await d.docker('import', '--change', 'CMD ["cat", "/made"]', file, 'flat:1');
    expect(await d.docker('run', '--rm', 'flat:1')).toBe('made');
    await d.docker('rmi', 'flat:1');
  });
  test('E8 commit: a container’s changes become a layer', async () => {
    await d.docker('run', '--name', 'c1', 'alpine', 'sh', '-c', 'echo made > /made');
    await d.docker('commit', '--change', 'ENV A=b', 'c1', 'changed:1');
    expect(await d.docker('run', '--rm', 'changed:1', 'sh', '-c', 'cat /made; echo $A')).toBe('made\nb');
    await d.docker('rmi', 'changed:1');
  });
  test('E8 a name that is not there', async () => {
    const missing = await d.docker.try(['run', '--rm', '--pull', 'never', 'nobody/has:this', 'true']);
    expect(missing.code).toBe(125);
    expect(missing.stderr).toContain('No such image: nobody/has:this');
  });
  test('E8 loading what is no image is an error', async () => {
    const file = join(d.world.base, 'junk.tar');
    writeFileSync(file, 'this is no tar');
    expect((await d.docker.try(['load', '-i', file])).code).not.toBe(0);
    expect(await listed()).toEqual(['alpine:latest', 'nginx:latest']);
  });
});

describe('E8 build', () => {
  test('E8 the seeds’ Dockerfile: EXPOSE shows in ps, -P publishes it', async () => {
    const directory = context(
      'FROM alpine\nCOPY index.html /www/\nENTRYPOINT ["httpd", "-f", "-p", "8000", "-h", "/www"]\nEXPOSE 8000\n',
      {
        'index.html': 'served\n',
      },
    );
    await d.docker('build', '-t', 'pyserver', directory);
    expect(await inspect('{{json .Config.ExposedPorts}}', 'pyserver')).toBe('{"8000/tcp":{}}');
    await d.docker('run', '-d', '--name', 'plain', '--stop-timeout', '0', 'pyserver');
    expect(await d.docker('ps', '--format', '{{.Ports}}')).toBe('8000/tcp');
    await d.docker('run', '-d', '-P', '--name', 'published', '--stop-timeout', '0', 'pyserver');
    expect(await d.docker('ps', '--filter', 'name=published', '--format', '{{.Ports}}')).toMatch(
      /0\.0\.0\.0:\d+->8000\/tcp/,
    );
    const port = JSON.parse(await inspect('{{json .NetworkSettings.Ports}}', 'published'))['8000/tcp'][0];
    expect(port).toEqual({ HostIp: '0.0.0.0', HostPort: expect.stringMatching(/^\d+$/) });
    const page = await until('it serves', async () => {
      const { code, stdout } = await d.host.try(`curl -s http://localhost:${port.HostPort}/`);
      return code === 0 && stdout;
    });
    expect(page).toBe('served\n');
    await d.docker('rm', '-f', 'plain', 'published');
    await d.docker('rmi', 'pyserver');
  });
  test('E8 RUN, ENV, ARG, LABEL, USER, WORKDIR', async () => {
    const directory = context(
      'FROM alpine\nARG WHO=nobody\nENV WHO=$WHO\nLABEL a=b\nWORKDIR /work\nRUN echo "for $WHO" > file\nUSER nobody\nCMD ["sh", "-c", "cat file; id -un"]\n',
    );
    await d.docker('build', '--build-arg', 'WHO=you', '-t', 'built:1', directory);
    expect(await d.docker('run', '--rm', 'built:1')).toBe('for you\nnobody');
    expect(await inspect('{{json .Config.Labels}}', 'built:1')).toContain('"a":"b"');
    await d.docker('rmi', 'built:1');
  });
  test('E8 a step that fails ends the build, and the client says so', async () => {
    const failed = await d.docker.try(['build', '-t', 'never:1', context('FROM alpine\nRUN exit 3\n')]);
    expect(failed.code).not.toBe(0);
    expect(`${failed.stderr}${failed.stdout}`).toMatch(
      /exit(ed|) (status|code|with)|non-zero code: 3|returned a non-zero/,
    );
    expect(await listed()).not.toContain('never:1');
  });
});
