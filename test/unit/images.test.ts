/** Images' pure parts: references, change instructions, the builder's lines, registries.conf, who an id prefix means. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyChanges } from '../../src/builder/apply.js';
import { ViaductError } from '../../src/errors.js';
import type { Catalogue, Entry } from '../../src/images/catalogue.js';
import { imageOf } from '../../src/images/config.js';
import { findImage, isIdOf, resolveImage } from '../../src/images/lookup.js';
import {
  familiarText,
  fullText,
  joinReference,
  parseReference,
  registryOf,
  repositoryOf,
  withDefaultTag,
} from '../../src/images/reference.js';
import { registriesConf } from '../../src/images/storage.js';
import { complaint } from '../../src/images/tools.js';

const SHA = `sha256:${'0123456789abcdef'.repeat(4)}`;

describe('references', () => {
  it.each([
    ['busybox', 'docker.io/library/busybox:latest', 'busybox:latest'],
    ['busybox:1.36', 'docker.io/library/busybox:1.36', 'busybox:1.36'],
    ['user/app', 'docker.io/user/app:latest', 'user/app:latest'],
    ['docker.io/busybox', 'docker.io/library/busybox:latest', 'busybox:latest'],
    ['index.docker.io/library/busybox', 'docker.io/library/busybox:latest', 'busybox:latest'],
    ['localhost/a', 'localhost/a:latest', 'localhost/a:latest'],
    ['localhost:5000/a/b:c', 'localhost:5000/a/b:c', 'localhost:5000/a/b:c'],
    ['ghcr.io/a__b/c-d.e', 'ghcr.io/a__b/c-d.e:latest', 'ghcr.io/a__b/c-d.e:latest'],
    ['Registry/app', 'Registry/app:latest', 'Registry/app:latest'],
    [`busybox@${SHA}`, `docker.io/library/busybox@${SHA}`, `busybox@${SHA}`],
    [`busybox:1@${SHA}`, `docker.io/library/busybox:1@${SHA}`, `busybox:1@${SHA}`],
  ])('%s is %s', (text, full, familiar) => {
    const reference = withDefaultTag(parseReference(text));
    expect(fullText(reference)).toBe(full);
    expect(familiarText(reference)).toBe(familiar);
  });

  it.each([
    ['', 'invalid reference format'],
    ['a b', 'invalid reference format'],
    ['-x', 'invalid reference format'],
    ['--all', 'invalid reference format'],
    ['a//b', 'invalid reference format'],
    ['a:', 'invalid reference format'],
    ['a:-t', 'invalid reference format'],
    [`a:${'t'.repeat(129)}`, 'invalid reference format'],
    ['a@sha256:12', 'invalid reference format'],
    ['a/../b', 'invalid reference format'],
    ['https://a/b', 'invalid reference format'],
    ['[::1]:1/x', 'invalid reference format'],
    ['Busybox', 'invalid reference format: repository name (library/Busybox) must be lowercase'],
    ['user/App:1', 'invalid reference format: repository name (user/App) must be lowercase'],
    [
      'ab'.repeat(32),
      `invalid repository name (${'ab'.repeat(32)}), cannot specify 64-byte hexadecimal strings`,
    ],
    [`r.io/${'a'.repeat(255)}`, 'repository name must not be more than 255 characters'],
  ])('%s is refused', (text, message) => {
    expect(() => parseReference(text)).toThrow(new ViaductError('invalid', message));
  });

  it('joins a name and a tag or digest that comes beside it', () => {
    expect(joinReference('busybox', SHA)).toBe(`busybox@${SHA}`);
    expect(joinReference('host:5/x:1', '2')).toBe('host:5/x:2');
    expect(joinReference('', '2')).toBe('');
    // The digest is not to be lost: it says which image is meant.
    expect(() => joinReference(`busybox@${SHA}`, '2')).toThrow('invalid reference format');
  });

  it('splits registry and repository', () => {
    const reference = parseReference('localhost:5000/team/app');
    expect([registryOf(reference), repositoryOf(reference)]).toEqual(['localhost:5000', 'team/app']);
  });

  it('never throws anything but invalid, never lets an option through, and is stable', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-z0-9.:/@_-]{0,40}$/)), (text) => {
        try {
          const full = fullText(withDefaultTag(parseReference(text)));
          expect(full).toMatch(/^[A-Za-z0-9[]/);
          expect(full).not.toMatch(/\s|\.\.\//);
          expect(fullText(parseReference(full))).toBe(full);
          expect(fullText(parseReference(familiarText(parseReference(full))))).toBe(full);
        } catch (error) {
          expect(error).toMatchObject({ kind: 'invalid' });
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('answers hostile texts of 64 KiB at once', () => {
    for (const piece of ['a', 'a-', 'a.', '_', '/', ':', '@', 'a/']) {
      const began = performance.now();
      expect(() => parseReference(piece.repeat(65_536 / piece.length))).toThrow();
      expect(performance.now() - began).toBeLessThan(1000);
    }
  });
});

const entry = (digits: string, names: readonly string[], digests: readonly string[] = []): Entry => ({
  image: imageOf({
    id: `sha256:${digits.padEnd(64, '0')}`,
    config: '{"rootfs":{"diff_ids":[]}}',
    names,
    digests,
    layerSizes: [],
  }),
  storeId: digits.padEnd(64, '0'),
  names,
  digests,
  layers: [],
  layerSizes: [],
  manifestDigest: '',
  kept: false,
  intermediate: false,
});

const catalogue = (...entries: readonly Entry[]): Catalogue => ({
  entries,
  byId: new Map(entries.map((e) => [e.image.id, e])),
  byName: new Map(entries.flatMap((e) => [...e.names, ...e.digests].map((name) => [name, e] as const))),
  idOfStoredName: () => undefined,
  ancestors: () => [],
});

describe('look-up', () => {
  const one = entry('abc1', ['docker.io/library/one:latest'], [`docker.io/library/one@${SHA}`]);
  const two = entry('abc2', ['docker.io/library/abc1:latest']);
  const all = catalogue(one, two);

  it('takes a name before an id prefix, and an unambiguous prefix', () => {
    expect(findImage(all, 'abc1')).toBe(two);
    expect(findImage(all, 'abc10')).toBe(one);
    expect(findImage(all, 'sha256:abc2')).toBe(two);
    expect(findImage(all, `one@${SHA}`)).toBe(one);
    expect(findImage(all, `one:whatever@${SHA}`)).toBe(one);
    expect(findImage(all, 'docker.io/one')).toBe(one);
  });

  it('refuses an ambiguous prefix, and says what is not there', () => {
    expect(() => findImage(all, 'abc')).toThrow(/ambiguous/);
    expect(() => resolveImage(all, 'three')).toThrow('No such image: three:latest');
    expect(() => resolveImage(all, 'sha256:ff')).toThrow('No such image: sha256:ff');
    expect(findImage(all, '../../etc')).toBeUndefined();
  });

  it('tells an id from a name', () => {
    expect([isIdOf('abc10', one.image.id), isIdOf('one', one.image.id), isIdOf('', one.image.id)]).toEqual([
      true,
      false,
      false,
    ]);
  });
});

describe('change instructions', () => {
  it('apply as a Dockerfile would', () => {
    const lines = [
      'ENV A=1 B="two words" C=a\\ b',
      'ENV OLD the rest of it',
      'ENV A=2',
      'EXPOSE 80 53/udp 8000-8002/tcp',
      'ENTRYPOINT ["/a", "b"]',
      'CMD echo hi',
      'LABEL x=y',
      'VOLUME ["/v w"]',
      'WORKDIR /a',
      'WORKDIR b',
      'USER 1:2',
      'STOPSIGNAL SIGQUIT',
      'ONBUILD RUN x',
      'HEALTHCHECK --interval=1m30s --retries=2 CMD curl -f http://x',
      '',
    ];
    expect(applyChanges({ Env: ['P=1'] }, lines)).toEqual({
      Env: ['P=1', 'A=2', 'B=two words', 'C=a b', 'OLD=the rest of it'],
      ExposedPorts: { '80/tcp': {}, '53/udp': {}, '8000/tcp': {}, '8001/tcp': {}, '8002/tcp': {} },
      Entrypoint: ['/a', 'b'],
      Cmd: ['/bin/sh', '-c', 'echo hi'],
      Labels: { x: 'y' },
      Volumes: { '/v w': {} },
      WorkingDir: '/a/b',
      User: '1:2',
      StopSignal: 'SIGQUIT',
      OnBuild: ['RUN x'],
      Healthcheck: { Interval: 90e9, Retries: 2, Test: ['CMD-SHELL', 'curl -f http://x'] },
    });
  });

  it.each([
    ['RUN rm -rf /', 'RUN is not a valid change command'],
    ['__proto__ x', 'is not a valid change command'],
    ['WORKDIR', 'WORKDIR requires exactly one argument'],
    ['EXPOSE 0', 'invalid containerPort: 0'],
    ['EXPOSE 65536', 'invalid containerPort: 65536'],
    ['EXPOSE 9-8', 'invalid containerPort: 9-8'],
    ['ENV A', 'ENV must have two arguments'],
    ['LABEL a=1 b', "can't find ="],
    ['ENV a="x', 'looking for matching double-quote'],
    ['HEALTHCHECK --nope=1 CMD x', 'unknown flag'],
    ['HEALTHCHECK --interval=soon CMD x', 'invalid duration "soon"'],
  ])('%s is refused', (line, message) => {
    expect(() => applyChanges({}, [line])).toThrow(message);
  });
});

it('the tools’ complaints are read from their logs', () => {
  expect(complaint('time="2026-01-01T00:00:00Z" level=fatal msg="a \\"b\\""')).toBe('a "b"');
  expect(complaint('noise\nError: first\nError: last')).toBe('last');
  expect(complaint('plain words\n')).toBe('plain words');
});

it('registries.conf has the hub’s mirrors and takes no injected table', () => {
  const text = registriesConf({
    insecureRegistries: ['reg.local:5000', '10.0.0.0/8', 'x"]\nblocked = true'],
    registryMirrors: ['https://mirror.example/', 'http://10.0.0.1:5000/sub/'],
  });
  expect(text).toContain('[[registry.mirror]]\nlocation = "mirror.example"\ninsecure = false');
  expect(text).toContain('[[registry.mirror]]\nlocation = "10.0.0.1:5000/sub"\ninsecure = true');
  expect(text).toContain('[[registry]]\nlocation = "reg.local:5000"\ninsecure = true');
  expect(text).not.toContain('blocked');
  expect(text).not.toContain('10.0.0.0/8');
});
