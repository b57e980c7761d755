/** The image store against the real tools and the real overlayfs, on a data root of its own. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { gzipSync } from 'node:zlib';
import tar from 'tar-stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildTestImages } from '../../scripts/images/build-test-images.js';
import type { Images } from '../../src/images/contract.js';
import { createImages } from '../../src/images/index.js';
import * as ffi from '../../src/kernel/ffi.js';

const scratch = mkdtempSync(join(tmpdir(), 'viaduct-images-'));
const none = () => [];
let archives: Readonly<Record<string, string>>;
let images: Images;

const open = async (name: string): Promise<Images> => {
  const opened = createImages({
    dataRoot: join(scratch, name, 'data'),
    execRoot: join(scratch, name, 'run'),
    insecureRegistries: [],
    registryMirrors: [],
  });
  await opened.open();
  return opened;
};

/** Runs a command that reports progress; answers the lines it said. */
const said = async (work: (progress: (line: object) => void) => Promise<unknown>): Promise<object[]> => {
  const lines: object[] = [];
  await work((line) => lines.push(line));
  return lines;
};

const load = (into: Images, file: string) => said((progress) => into.load(createReadStream(file), progress));

const tarOf = (files: Readonly<Record<string, string>>): Readable => {
  const pack = tar.pack();
  for (const [name, text] of Object.entries(files)) pack.entry({ name }, text);
  pack.finalize();
  return Readable.from(pack as unknown as AsyncIterable<Buffer>);
};

const bytesOf = async (stream: Readable): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
};

/** What `docker save` writes of an image with so many layers of one file each. */
const deepArchive = async (name: string, count: number): Promise<Record<string, string>> => {
  const layers = await Promise.all(
    Array.from({ length: count }, (_, n) => bytesOf(tarOf({ [`file-${n}`]: `${n}` }))),
  );
  const digest = (data: Buffer) => `sha256:${createHash('sha256').update(data).digest('hex')}`;
  const rootfs = { type: 'layers', diff_ids: layers.map(digest) };
  const config = JSON.stringify({ architecture: 'amd64', os: 'linux', config: {}, rootfs, history: [] });
  const paths = layers.map((_, n) => `${n}/layer.tar`);
  const manifest = JSON.stringify([{ Config: 'config.json', RepoTags: [name], Layers: paths }]);
  const files = layers.map((layer, n) => [`${n}/layer.tar`, layer.toString('latin1')]);
  return { ...Object.fromEntries(files), 'config.json': config, 'manifest.json': manifest };
};

const mountPoints = (): readonly string[] =>
  readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '');

/** Everything below, unmounted and gone, even after a failure. */
const tidy = (): void => {
  for (const path of [...mountPoints()].reverse()) if (path.startsWith(`${scratch}/`)) ffi.umount(path);
  rmSync(scratch, { recursive: true, force: true });
};

beforeAll(async () => {
  archives = buildTestImages({ only: ['busybox', 'alpine'] });
  images = await open('main');
  await load(images, archives.busybox ?? '');
}, 180_000);
afterAll(tidy);

describe('load and look up', () => {
  it('says what it loaded and answers by every kind of name', async () => {
    const other = await open('load');
    expect(await load(other, archives.busybox ?? '')).toEqual([{ stream: 'Loaded image: busybox:latest\n' }]);
    const image = other.get('busybox');
    const hex = image.id.slice(7);
    for (const name of [
      'busybox:latest',
      'docker.io/library/busybox',
      'library/busybox:latest',
      image.id,
      hex,
    ])
      expect(other.get(name).id).toBe(image.id);
    for (const digits of [12, 6, 1]) expect(other.get(hex.slice(0, digits)).id).toBe(image.id);
    expect(image).toMatchObject({ tags: ['busybox:latest'], os: 'linux', config: { Cmd: ['sh'] } });
    expect(image.size).toBeGreaterThan(1_000_000);
  });

  it("refuses with Docker's words", () => {
    expect(() => images.get('nosuch')).toThrow('No such image: nosuch:latest');
    expect(() => images.get('Busybox')).toThrow('repository name (library/Busybox) must be lowercase');
    expect(() => images.get('a b')).toThrow('invalid reference format');
    expect(() => images.get('-all')).toThrow('invalid reference format');
    expect(images.find('ff'.repeat(32))).toBeUndefined();
  });

  it('refuses what is no archive and leaves nothing behind', async () => {
    await expect(
      images.load(Readable.from([Buffer.from('junk'.repeat(500))]), () => {}),
    ).rejects.toMatchObject({
      kind: 'invalid',
    });
    await expect(images.load(tarOf({ hello: 'x' }), () => {})).rejects.toThrow('unrecognized image format');
    expect(readdirSync(join(scratch, 'main/data/images/tmp'))).toEqual([]);
  });

  it('loads a compressed archive, and an OCI archive made by skopeo', async () => {
    const other = await open('forms');
    const packed = gzipSync(readFileSync(archives.busybox ?? ''));
    await other.load(Readable.from([packed]), () => {});
    expect(other.list().map((image) => image.tags)).toEqual([['busybox:latest']]);
    const oci = join(scratch, 'oci.tar');
    const from = `docker-archive:${archives.alpine}`;
    execFileSync('skopeo', ['--insecure-policy', 'copy', '-q', from, `oci-archive:${oci}:localhost/oci:1`]);
    expect(await load(other, oci)).toEqual([{ stream: 'Loaded image: localhost/oci:1\n' }]);
    expect(other.get('localhost/oci:1').config.Cmd).toEqual(['/bin/sh']);
  });

  it('sees at once what another process put into the store', async () => {
    const [first, second] = [await open('shared'), await open('shared')];
    await load(first, archives.busybox ?? '');
    expect(second.get('busybox').tags).toEqual(['busybox:latest']);
  });
});

describe('writable layers', () => {
  it('mounts the image below a layer of its own, any number of times', async () => {
    const id = images.get('busybox').id;
    const root = await images.mount('one', id);
    writeFileSync(join(root, 'etc/new'), 'mine');
    expect(await images.mount('one', id)).toBe(root);
    expect(readFileSync(join(root, 'etc/new'), 'utf8')).toBe('mine');
    const other = await images.mount('two', id);
    expect(existsSync(join(other, 'etc/new'))).toBe(false);
    expect(existsSync(join(other, 'bin/busybox'))).toBe(true);
    await images.discard('two');
    expect(existsSync(other)).toBe(false);
    const layers = join(scratch, 'main/data/writable');
    expect(readdirSync(layers)).not.toContain('two');
  });

  it('leaves no file of a discarded layer after the end, nor after a crash and the next start', async () => {
    const layers = join(scratch, 'leaving/data/writable');
    const first = await open('leaving');
    mkdirSync(join(layers, '.gone-crashed-1/upper'), { recursive: true });
    const second = await open('leaving');
    mkdirSync(join(layers, 'three/upper'), { recursive: true });
    void second.discard('three');
    await Promise.all([first.close(), second.close()]);
    expect(readdirSync(layers)).toEqual([]);
  });

  it('keeps the layer over unmount and a restart of the daemon', async () => {
    const id = images.get('busybox').id;
    writeFileSync(join(await images.mount('kept', id), 'state'), '1');
    const restarted = await open('main');
    expect(readFileSync(join(await restarted.mount('kept', id), 'state'), 'utf8')).toBe('1');
    await images.unmount('kept');
    await images.unmount('kept');
    expect(readFileSync(join(await images.mount('kept', id), 'state'), 'utf8')).toBe('1');
    await images.discard('kept');
    await images.discard('kept');
  });

  it('I10: what is asked of one root at once is done in the order of asking', async () => {
    const { id } = images.get('busybox');
    const root = await images.mount('asked', id);
    writeFileSync(join(root, 'state'), '1');
    await Promise.all([images.unmount('asked'), images.mount('asked', id)]);
    expect(readFileSync(join(root, 'state'), 'utf8')).toBe('1');
    const twice = [images.mount('asked', id), images.mount('asked', id), images.discard('asked')];
    await Promise.all(twice);
    expect(existsSync(root)).toBe(false);
  });

  it('tells added, modified and deleted paths, whiteouts and replaced directories', async () => {
    const root = await images.mount('diff', images.get('busybox').id);
    expect(await images.changes('diff')).toEqual([]);
    writeFileSync(join(root, 'etc/passwd'), 'changed');
    writeFileSync(join(root, 'etc/new'), '12345');
    rmSync(join(root, 'etc/group'));
    rmSync(join(root, 'var/log'), { recursive: true });
    rmSync(join(root, 'usr/local'), { recursive: true });
    mkdirSync(join(root, 'usr/local'));
    writeFileSync(join(root, 'brief'), '');
    rmSync(join(root, 'brief'));
    expect(await images.changes('diff')).toEqual([
      { Path: '/etc', Kind: 0 },
      { Path: '/etc/group', Kind: 2 },
      { Path: '/etc/new', Kind: 1 },
      { Path: '/etc/passwd', Kind: 0 },
      { Path: '/usr', Kind: 0 },
      { Path: '/usr/local', Kind: 0 },
      { Path: '/usr/local/bin', Kind: 2 },
      { Path: '/var', Kind: 0 },
      { Path: '/var/log', Kind: 2 },
    ]);
    expect(await images.writtenBytes('diff')).toBe('changed'.length + 5);
    await images.discard('diff');
  });

  it('refuses a container id that is a path', async () => {
    await expect(images.mount('../escape', images.get('busybox').id)).rejects.toThrow('invalid container id');
  });

  it('commits a layer with its deletions; the new image shows exactly what the container had', async () => {
    const image = images.get('busybox');
    const root = await images.mount('source', image.id);
    rmSync(join(root, 'etc/group'));
    rmSync(join(root, 'usr/local'), { recursive: true });
    mkdirSync(join(root, 'usr/local'));
    writeFileSync(join(root, 'tool'), '#!/bin/sh\n');
    chmodSync(join(root, 'tool'), 0o4755);
    symlinkSync('/tool', join(root, 'link'));
    const changes = ['ENV A=1 B="2 3"', 'EXPOSE 8080', 'CMD ["/tool"]', 'LABEL who=me'];
    const id = await images.commit({
      containerId: 'source',
      image,
      reference: 'committed:1',
      comment: 'note',
      author: 'someone',
      config: {},
      changes,
    });
    const made = images.get('committed:1');
    expect(made).toMatchObject({
      id,
      comment: 'note',
      author: 'someone',
      diffIds: [image.diffIds[0], expect.any(String)],
    });
    expect(made.config).toMatchObject({
      Cmd: ['/tool'],
      ExposedPorts: { '8080/tcp': {} },
      Labels: { who: 'me' },
    });
    expect(made.config.Env).toEqual([...image.config.Env, 'A=1', 'B=2 3']);
    const copy = await images.mount('copy', id);
    expect(existsSync(join(copy, 'etc/group'))).toBe(false);
    expect(readdirSync(join(copy, 'usr/local'))).toEqual([]);
    expect(execFileSync('stat', ['-c', '%a', join(copy, 'tool')], { encoding: 'utf8' }).trim()).toBe('4755');
    await images.discard('copy');
    await images.discard('source');
    await images.remove('committed:1', { force: false, noPrune: false }, none);
  });

  it('mounts an image of 127 layers, as many as Docker takes', async () => {
    const file = join(scratch, 'deep.tar');
    writeFileSync(file, await bytesOf(tarOf(await deepArchive('deep:latest', 127))));
    // a long data root: the options would fill two pages with absolute paths
    const many = await open(`many-${'x'.repeat(60)}`);
    await load(many, file);
    const root = await many.mount('deep', many.get('deep').id);
    const everywhere = ['.dockerenv', 'dev', 'etc', 'proc', 'sys'];
    expect(readdirSync(root).filter((name) => !everywhere.includes(name)).length).toBe(127);
    await many.discard('deep');
  }, 120_000);
});

describe('names', () => {
  const options = { force: false, noPrune: false };

  it('tags, untags, and deletes with the last name', async () => {
    const other = await open('names');
    await load(other, archives.busybox ?? '');
    const { id, diffIds } = other.get('busybox');
    await other.tag('busybox', 'registry.example:5000/team/app:v1');
    await other.tag(id.slice(7, 19), 'second');
    expect(other.get('busybox').tags).toEqual([
      'busybox:latest',
      'registry.example:5000/team/app:v1',
      'second:latest',
    ]);
    await expect(other.tag('busybox', 'Upper')).rejects.toMatchObject({ kind: 'invalid' });
    await expect(other.tag('nosuch', 'x')).rejects.toThrow('No such image: nosuch:latest');
    await expect(other.remove(id, options, none)).rejects.toThrow(
      `conflict: unable to delete ${id.slice(7, 19)} (must be forced) - image is referenced in multiple repositories`,
    );
    expect(await other.remove('second', options, none)).toEqual([{ Untagged: 'second:latest' }]);
    await other.remove('busybox', options, none);
    expect(await other.remove('registry.example:5000/team/app:v1', options, none)).toEqual([
      { Untagged: 'registry.example:5000/team/app:v1' },
      { Deleted: id },
      { Deleted: diffIds[0] },
    ]);
    expect(other.list()).toEqual([]);
  });

  it('refuses to take what a container uses, and keeps its layers when forced', async () => {
    const other = await open('used');
    await load(other, archives.busybox ?? '');
    const { id } = other.get('busybox');
    const [container, short] = ['c'.repeat(64), id.slice(7, 19)];
    const users = () => [container];
    const running = (is: boolean) => () => is;
    await expect(other.remove('busybox', options, users, running(false))).rejects.toThrow(
      `conflict: unable to remove repository reference "busybox" (must force) - container cccccccccccc is using its referenced image ${short}`,
    );
    await expect(other.remove(id, options, users, running(false))).rejects.toThrow(
      `conflict: unable to delete ${short} (must be forced) - image is being used by stopped container cccccccccccc`,
    );
    await expect(other.remove(short, { ...options, force: true }, users, running(true))).rejects.toThrow(
      `conflict: unable to delete ${short} (cannot be forced) - image is being used by running container cccccccccccc`,
    );
    const forced = await other.remove('busybox', { ...options, force: true }, users, running(false));
    expect(forced).toEqual([{ Untagged: 'busybox:latest' }]);
    expect(other.get(id).tags).toEqual([]);
    expect(existsSync(join(await other.mount(container, id), 'bin/busybox'))).toBe(true);
    expect((await other.prune(false, new Set([id]))).deleted).toEqual([]);
    await other.discard(container);
    const pruned = await other.prune(false, new Set());
    expect(pruned.deleted[0]).toEqual({ Deleted: id });
    expect(pruned.bytes).toBeGreaterThan(1_000_000);
    expect(other.list()).toEqual([]);
  });

  it('imports a root file system with changes', async () => {
    const id = await images.import(
      tarOf({ 'etc/hello': 'hi' }),
      'imported',
      ['CMD echo hi', 'USER 1000'],
      'why',
    );
    const image = images.get('imported');
    expect(image).toMatchObject({ id, comment: 'why', tags: ['imported:latest'] });
    expect(image.config).toMatchObject({ Cmd: ['/bin/sh', '-c', 'echo hi'], User: '1000' });
    expect(readFileSync(join(await images.mount('imp', id), 'etc/hello'), 'utf8')).toBe('hi');
    await images.discard('imp');
    await expect(images.import(tarOf({}), 'x', ['RUN boom'], '')).rejects.toThrow(
      'RUN is not a valid change command',
    );
    await expect(images.import(Readable.from([Buffer.alloc(9, 'z')]), '', [], '')).rejects.toMatchObject({
      kind: 'invalid',
    });
  });

  it('K15: a tar that cannot be unpacked is its sender’s fault', async () => {
    const hostile = (fill: (pack: tar.Pack) => void): Readable => {
      const pack = tar.pack();
      fill(pack);
      pack.finalize();
      return Readable.from(pack as unknown as AsyncIterable<Buffer>);
    };
    for (const archive of [
      hostile((pack) => pack.entry({ name: 'a', type: 'link', linkname: 'nowhere' })),
      hostile((pack) => {
        pack.entry({ name: 'f' }, 'x');
        pack.entry({ name: 'f/below' }, 'x');
      }),
      hostile((pack) => pack.entry({ name: 'x'.repeat(300) }, 'x')),
    ])
      await expect(images.import(archive, '', [], '')).rejects.toMatchObject({ kind: 'invalid' });
  });

  it('saves several references in one archive that a fresh store loads alike', async () => {
    await images.tag('busybox', 'another:2');
    await load(images, archives.alpine ?? '');
    const file = join(scratch, 'saved.tar');
    await pipeline(images.save(['busybox:latest', 'another:2', 'alpine']), createWriteStream(file));
    const other = await open('saved');
    await load(other, file);
    for (const name of ['busybox', 'another:2', 'alpine'])
      expect(other.get(name).id).toBe(images.get(name).id);
    expect(other.list().length).toBe(2);
    expect(() => images.save(['busybox', 'nosuch'])).toThrow('No such image: nosuch:latest');
    await images.remove('another:2', options, none);
  });
});
