/** Pull and push against a real registry (Debian's docker-registry), alone with us in the test's network namespace. */
import { type ChildProcess, spawnSync } from 'node:child_process';
import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildTestImages } from '../../scripts/images/build-test-images.js';
import type { Images, RegistryAuth } from '../../src/images/contract.js';
import { createImages } from '../../src/images/index.js';
import { spawnRegistry } from '../support/registry.js';

const scratch = mkdtempSync(join(tmpdir(), 'viaduct-registry-'));
const never = new AbortController().signal;
const registries: ChildProcess[] = [];

const open = async (name: string, mirrors: readonly string[] = []): Promise<Images> => {
  const [dataRoot, execRoot] = [join(scratch, name, 'data'), join(scratch, name, 'run')];
  const images = createImages({ dataRoot, execRoot, insecureRegistries: [], registryMirrors: mirrors });
  await images.open();
  return images;
};

const startRegistry = async (port: number, login = false): Promise<void> => {
  registries.push(spawnRegistry({ directory: scratch, port, login }));
  for (let attempt = 0; attempt < 100; attempt++) {
    const up = await fetch(`http://127.0.0.1:${port}/v2/`).catch(() => undefined);
    if (up) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('the registry does not answer');
};

type Lines = Record<string, unknown>[];
const pull = async (images: Images, name: string, auth?: RegistryAuth): Promise<Lines> => {
  const lines: Lines = [];
  await images.pull(name, auth, (line) => lines.push({ ...line }), never);
  return lines;
};
const push = async (images: Images, name: string, auth?: RegistryAuth): Promise<Lines> => {
  const lines: Lines = [];
  await images.push(name, auth, (line) => lines.push({ ...line }), never);
  return lines;
};

let source: Images;
let digest = '';

beforeAll(async () => {
  await startRegistry(5000);
  source = await open('source');
  const { busybox = '' } = buildTestImages({ only: ['busybox'] });
  await source.load(createReadStream(busybox), () => {});
  await source.tag('busybox', 'localhost:5000/team/box:1');
}, 120_000);

afterAll(() => {
  for (const registry of registries) registry.kill('SIGKILL');
  rmSync(scratch, { recursive: true, force: true });
});

describe('a registry on the loopback', () => {
  it('takes a push, with the digest in the last lines', async () => {
    const lines = await push(source, 'localhost:5000/team/box:1');
    expect(lines[0]).toEqual({ status: 'The push refers to repository [localhost:5000/team/box]' });
    const last = lines.at(-1) as { aux: { Tag: string; Digest: string; Size: number } };
    digest = last.aux.Digest;
    expect(digest).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(last.aux).toEqual({ Tag: '1', Digest: digest, Size: expect.any(Number) });
    expect(lines.at(-2)).toEqual({ status: `1: digest: ${digest} size: ${last.aux.Size}` });
    expect(source.get('busybox').digests).toEqual([`localhost:5000/team/box@${digest}`]);
  });

  it('gives the same image back, by tag', async () => {
    const images = await open('pulled');
    const lines = await pull(images, 'localhost:5000/team/box:1');
    expect(lines[0]).toEqual({ status: 'Pulling from localhost:5000/team/box', id: '1' });
    expect(lines.map((line) => line.status)).toEqual(
      expect.arrayContaining(['Pulling fs layer', 'Pull complete']),
    );
    expect(lines.slice(-2)).toEqual([
      { status: `Digest: ${digest}` },
      { status: 'Status: Downloaded newer image for localhost:5000/team/box:1' },
    ]);
    const image = images.get('localhost:5000/team/box:1');
    expect(image.id).toBe(source.get('busybox').id);
    expect(image.digests).toEqual([`localhost:5000/team/box@${digest}`]);
    expect(images.get(`localhost:5000/team/box@${digest}`).id).toBe(image.id);
    const again = await pull(images, 'localhost:5000/team/box:1');
    expect(again.at(-1)).toEqual({ status: 'Status: Image is up to date for localhost:5000/team/box:1' });
    expect(
      await images.remove('localhost:5000/team/box:1', { force: false, noPrune: false }, () => []),
    ).toEqual(
      expect.arrayContaining([
        { Untagged: 'localhost:5000/team/box:1' },
        { Untagged: `localhost:5000/team/box@${digest}` },
        { Deleted: image.id },
      ]),
    );
  });

  it('gives it by digest, without a tag, and lets go of it again', async () => {
    const images = await open('digest');
    await pull(images, `localhost:5000/team/box@${digest}`);
    const [image] = images.list();
    expect(image).toMatchObject({ tags: [], digests: [`localhost:5000/team/box@${digest}`] });
    expect((await images.prune(false, new Set())).deleted).toEqual([]);
    await images.remove(`localhost:5000/team/box@${digest}`, { force: false, noPrune: false }, () => []);
    expect(images.list()).toEqual([]);
  });

  it('serves as a mirror of the hub', async () => {
    await source.tag('busybox', 'localhost:5000/library/mirrored');
    await push(source, 'localhost:5000/library/mirrored:latest');
    const images = await open('mirror', ['http://localhost:5000']);
    const lines = await pull(images, 'mirrored');
    expect(lines[0]).toEqual({ status: 'Pulling from library/mirrored', id: 'latest' });
    expect(images.get('mirrored').tags).toEqual(['mirrored:latest']);
  });

  it('takes the right image out of a list of platforms, by tag and by the digest of the list', async () => {
    const repository = 'http://127.0.0.1:5000/v2/team/box/manifests';
    const v2 = 'application/vnd.docker.distribution.manifest.v2+json';
    const listType = 'application/vnd.docker.distribution.manifest.list.v2+json';
    const manifest = await (await fetch(`${repository}/1`, { headers: { accept: v2 } })).text();
    const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
    const here = { mediaType: v2, size: manifest.length, digest, platform: { architecture, os: 'linux' } };
    const body = JSON.stringify({ schemaVersion: 2, mediaType: listType, manifests: [here] });
    const put = await fetch(`${repository}/multi`, {
      method: 'PUT',
      headers: { 'content-type': listType },
      body,
    });
    expect(put.status).toBe(201);
    const listDigest = put.headers.get('docker-content-digest') ?? '';
    const images = await open('multi');
    const lines = await pull(images, 'localhost:5000/team/box:multi');
    expect(lines.at(-2)).toEqual({ status: `Digest: ${listDigest}` });
    const { id } = images.get('localhost:5000/team/box:multi');
    expect(id).toBe(source.get('busybox').id);
    const other = await open('multi-digest');
    await pull(other, `localhost:5000/team/box@${listDigest}`);
    expect(other.get(`localhost:5000/team/box@${listDigest}`).id).toBe(id);
    const again = await pull(other, `localhost:5000/team/box:multi@${listDigest}`);
    expect(again.at(-1)).toEqual({ status: expect.stringContaining('Image is up to date') });
  });

  it('says what it has, of one image and of a list, and nothing is taken', async () => {
    const images = await open('remote');
    const ask = (name: string) => images.remote(name, undefined, new AbortController().signal);
    const platforms = [expect.objectContaining({ os: 'linux' })];
    const one = await ask('localhost:5000/team/box:1');
    expect(one).toMatchObject({ digest, size: expect.any(Number), platforms });
    expect(one.mediaType).toMatch(/manifest\.v[12]\+json$/);
    expect(await ask(`localhost:5000/team/box@${digest}`)).toEqual(one);
    const list = await ask('localhost:5000/team/box:multi');
    expect(list).toMatchObject({ mediaType: expect.stringContaining('manifest.list'), platforms });
    expect(list.digest).not.toBe(digest);
    expect(images.list()).toEqual([]);
    await expect(ask('localhost:5000/team/box:nope')).rejects.toMatchObject({ kind: 'not-found' });
    await expect(ask('localhost:5999/x')).rejects.toMatchObject({ kind: 'unavailable' });
    await expect(ask('Upper/Case')).rejects.toMatchObject({ kind: 'invalid' });
  });

  it("says what is wrong in Docker's words", async () => {
    await expect(pull(source, 'localhost:5000/team/box:nope')).rejects.toMatchObject({
      kind: 'not-found',
      message: 'manifest for localhost:5000/team/box:nope not found: manifest unknown: manifest unknown',
    });
    await expect(pull(source, 'localhost:5999/x')).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringContaining('connection refused'),
    });
    await expect(push(source, 'localhost:5000/none')).rejects.toThrow(
      'An image does not exist locally with the tag: localhost:5000/none',
    );
    await expect(pull(source, 'Upper/Case')).rejects.toMatchObject({ kind: 'invalid' });
  });
});

describe('a registry that wants a login', () => {
  const secret = { username: 'me', password: 'secret' };

  it('refuses without it and serves with it; nothing of it stays on disk', async () => {
    await startRegistry(5001, true);
    await source.tag('busybox', 'localhost:5001/private');
    await expect(push(source, 'localhost:5001/private:latest')).rejects.toMatchObject({ kind: 'not-found' });
    await push(source, 'localhost:5001/private:latest', secret);
    const images = await open('private');
    await expect(pull(images, 'localhost:5001/private')).rejects.toThrow(
      'pull access denied for localhost:5001/private',
    );
    await pull(images, 'localhost:5001/private', secret);
    expect(images.get('localhost:5001/private').tags).toEqual(['localhost:5001/private:latest']);
    const basic = Buffer.from('me:secret').toString('base64');
    for (const name of ['source', 'private']) {
      const found = spawnSync('grep', ['-rlF', '-e', basic, '-e', 'me:secret', join(scratch, name)], {
        encoding: 'utf8',
      });
      expect(found.stdout).toBe('');
    }
  });
});
