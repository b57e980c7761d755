/** The tar that is written is the tar that is read, by us and by GNU tar, whatever names are made of. */
import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readTar, type TarEntry, type TarType } from '../../src/files/tar/read.js';
import { END, headerOf, padded } from '../../src/files/tar/write.js';

interface Written {
  readonly entry: TarEntry;
  readonly data: Buffer;
}

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const tarOf = (written: readonly Written[]): Buffer =>
  Buffer.concat([...written.flatMap(({ entry, data }) => [headerOf(entry), data, padded(data.length)]), END]);

async function* chunks(tar: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < tar.length; at += size) yield tar.subarray(at, at + size);
}

const read = async (tar: Buffer, size = 100_000): Promise<readonly Written[]> => {
  const found: Written[] = [];
  for await (const { entry, data } of readTar(chunks(tar, size))) {
    const parts: Buffer[] = [];
    for await (const part of data) parts.push(part);
    found.push({ entry, data: Buffer.concat(parts) });
  }
  return found;
};

/** A byte string of one component: anything but NUL and a slash. */
const component = fc
  .array(fc.integer({ min: 1, max: 255 }), { minLength: 1, maxLength: 120 })
  .map((codes) => Buffer.from(codes).toString('latin1').replaceAll('/', '_'))
  .filter((name) => name !== '.' && name !== '..');
const path = fc.array(component, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
const id = fc.oneof(fc.integer({ min: 0, max: 65_535 }), fc.integer({ min: 2 ** 21, max: 2 ** 32 - 2 }));

const written: fc.Arbitrary<Written> = fc
  .record({
    name: path,
    type: fc.constantFrom<TarType>('file', 'directory', 'symlink', 'link', 'fifo', 'character-device'),
    mode: fc.integer({ min: 0, max: 0o7777 }),
    uid: id,
    gid: id,
    mtime: fc.integer({ min: 0, max: 2 ** 33 - 1 }),
    target: path,
    data: fc.uint8Array({ maxLength: 2000 }),
    value: fc.uint8Array({ maxLength: 40 }),
  })
  .map(({ name, type, target, data, value, ...numbers }) => {
    const content = Buffer.from(type === 'file' ? data : []);
    const entry: TarEntry = {
      ...numbers,
      name: type === 'directory' ? `${name}/` : name,
      type,
      size: content.length,
      linkname: type === 'symlink' || type === 'link' ? target : '',
      major: type === 'character-device' ? 1 : 0,
      minor: type === 'character-device' ? 3 : 0,
      attributes: value.length > 0 ? new Map([['security.capability', Buffer.from(value)]]) : new Map(),
    };
    return { entry, data: content };
  });

test('comes out as it went in, in pieces of any size', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(written, { maxLength: 6 }),
      fc.integer({ min: 1, max: 3000 }),
      async (all, size) => {
        expect(await read(tarOf(all), size)).toEqual(all);
      },
    ),
    { numRuns: 60 },
  );
});

test('GNU tar reads the same names', () => {
  fc.assert(
    fc.property(written, (one) => {
      // Its escapes undone, its listing is the bytes of the name.
      const listed = execFileSync(
        'tar',
        ['-tPf', '-', '--quoting-style=literal', '--show-transformed-names'],
        {
          input: tarOf([one]),
        },
      );
      expect(listed.toString('latin1')).toBe(`${one.entry.name}\n`);
    }),
    { numRuns: 25 },
  );
});

test('GNU tar’s own formats are read: long names, large numbers', async () => {
  for (const format of ['gnu', 'ustar', 'pax', 'v7']) {
    const name = format === 'gnu' || format === 'pax' ? 'x'.repeat(99).concat('/', 'y'.repeat(150)) : 'short';
    const tar = execFileSync('sh', [
      '-c',
      `d=$(mktemp -d); cd $d; mkdir -p "$(dirname ${name})"; echo hi >${name}; tar --format=${format} -cf - ${name}; rm -r $d`,
    ]);
    const [found] = await read(tar, 700);
    expect([found?.entry.name, found?.data.toString()]).toEqual([name, 'hi\n']);
  }
});

test('U4: padding and end blocks may lack; data may not', async () => {
  const entry: TarEntry = {
    ...{ name: 'f', type: 'file', mode: 0o644, uid: 0, gid: 0, size: 47, mtime: 0, linkname: '' },
    ...{ major: 0, minor: 0, attributes: new Map() },
  };
  const whole = Buffer.concat([headerOf(entry), Buffer.alloc(47, 'x')]);
  expect(await read(whole)).toEqual([{ entry, data: Buffer.alloc(47, 'x') }]);
  await expect(read(whole.subarray(0, 550))).rejects.toMatchObject({ kind: 'invalid' });
  await expect(read(whole.subarray(0, 100))).rejects.toMatchObject({ kind: 'invalid' });
  await expect(read(bytes('not a tar').subarray(0, 9))).rejects.toMatchObject({ kind: 'invalid' });
  expect(await read(Buffer.alloc(0))).toEqual([]);
});

test('every byte flipped is read or refused, never worse', async () => {
  const { entry, data } = { entry: (await read(sample()))[0]?.entry, data: sample() };
  expect(entry?.name).toBe('d/f');
  for (let at = 0; at < data.length; at++) {
    const broken = Buffer.from(data);
    broken[at] = (broken[at] ?? 0) ^ 0x55;
    await read(broken).catch((error: unknown) => expect(error).toMatchObject({ kind: 'invalid' }));
  }
});

const sample = (): Buffer => {
  const entry: TarEntry = {
    ...{ name: 'd/f', type: 'file', mode: 0o644, uid: 7, gid: 8, size: 3, mtime: 99, linkname: '' },
    ...{ major: 0, minor: 0, attributes: new Map([['user.a', Buffer.from([0, 10, 255])]]) },
  };
  return Buffer.concat([headerOf(entry), Buffer.from('abc'), padded(3)]);
};
