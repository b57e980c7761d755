/** Dockerfiles as text and data: lines, words, variables, instructions, and what they make of a configuration. */
import { describe, expect, it } from 'vitest';
import { applied, commandLine, expanded } from '../../src/builder/apply.js';
import {
  declareArg,
  declareGlobal,
  globalVariables,
  noArgs,
  stepVariables,
  tracedVariables,
  unused,
} from '../../src/builder/args.js';
import { expandWord, expandWords, lookupIn } from '../../src/builder/expand.js';
import { hasWildcards, matches, pathPattern } from '../../src/builder/glob.js';
import { parseDuration, showDuration } from '../../src/builder/go.js';
import { isIgnored, parseIgnore } from '../../src/builder/ignore.js';
import {
  type Instruction,
  labelInstructions,
  readInstruction,
  readStages,
  stagesUpTo,
} from '../../src/builder/instructions.js';
import { parseDockerfile, parseLine } from '../../src/builder/lines.js';
import { parsePlatform } from '../../src/builder/platform.js';
import { exposedPorts, knownPorts } from '../../src/builder/ports.js';
import { credentialsFor } from '../../src/builder/registry.js';
import { splitWords, takeFlags } from '../../src/builder/words.js';

const codes = (text: string) => parseDockerfile(text).lines.map(({ code }) => code);
const instruction = (text: string): Instruction => readInstruction(parseLine(text, '\\'), '\\');
const stages = (text: string) => {
  const { lines, mark } = parseDockerfile(text);
  return readStages(lines, mark);
};

describe('lines', () => {
  it('are joined where they go on, comments and empty lines between them passed over', () => {
    const text =
      '\ufeff# a comment\nFROM x\n\n  RUN a \\\n# inside\n\n   b \\  \n  c\r\nCMD d \\\\\nENV e f\\';
    expect(codes(text)).toEqual(['FROM x', 'RUN a    b   c', 'CMD d \\\\', 'ENV e f']);
    expect(parseDockerfile(text).lines.map(({ number }) => number)).toEqual([2, 4, 9, 10]);
    expect(parseDockerfile(text).warnings).toHaveLength(1);
  });

  it('know the escape directive, and BuildKit’s that mean nothing here', () => {
    expect(codes('# syntax=docker/dockerfile:1\n# escape=`\nFROM x\nCOPY a`\n b c:\\\n')).toEqual([
      'FROM x',
      'COPY a b c:\\',
    ]);
    expect(codes('FROM x\n# escape=`\nRUN a`\nRUN b')).toHaveLength(3);
    expect(() => parseDockerfile('# escape=x\nFROM y')).toThrow("invalid escape token 'x'");
    expect(() => parseDockerfile('# escape=`\n# escape=`\nFROM y')).toThrow('only one escape');
    expect(() => parseDockerfile('# nothing\n\n')).toThrow('file with no instructions');
  });

  it.each(['RUN <<EOF\necho\nEOF', 'RUN cat <<-"E" >x', 'COPY <<a <<b /', 'ONBUILD RUN 3<<X'])(
    'refuse the heredoc of %s',
    (text) => {
      expect(() => parseDockerfile(`FROM x\n${text}\n`)).toThrow(
        'dockerfile parse error on line 2: the heredoc syntax (<<) requires BuildKit',
      );
    },
  );

  it.each(['RUN echo $((1<<2))', 'RUN cat <<< x', 'RUN ["a", "<<b"]', 'LABEL a=<<b', 'RUN a "<<b"'])(
    'take %s for no heredoc',
    (text) => {
      expect(codes(`FROM x\n${text}`)).toHaveLength(2);
    },
  );

  it('have flags before their words', () => {
    expect(takeFlags('--a=b --c="d e" --f\\ g x --h', '\\')).toEqual({
      flags: ['--a=b', '--c=d e', '--f g'],
      rest: 'x --h',
    });
    expect(takeFlags('--a -- --b', '\\')).toEqual({ flags: ['--a'], rest: ' --b' });
    expect(splitWords(`a "b c"d 'e\\' f\\ g "" `, '\\')).toEqual(['a', '"b c"d', "'e\\'", 'f\\ g', '""']);
  });
});

describe('variables', () => {
  const lookup = lookupIn(['A=one', 'EMPTY=', 'TWO=a b', 'P=/usr/lib/x.tar.gz', 'A=1']);
  const braced = (inside: string): string => `$\{${inside}}`;

  it.each([
    ['$A', '1'],
    ['\\$A', '$A'],
    ["'$A'", '$A'],
    ['"$A \\" \\n"', '1 " \\n'],
    ['$', '$'],
    ['$NO-', '-'],
    ['$TWO', 'a b'],
    ['a\\ b', 'a b'],
  ])('%s is %s', (word, value) => {
    expect(expandWord(word, lookup, '\\')).toBe(value);
  });

  it.each([
    ['NO:-d$A', 'd1'],
    ['EMPTY:-d', 'd'],
    ['EMPTY-d', ''],
    ['A:+y', 'y'],
    ['NO:+y', ''],
    ['EMPTY+z', 'z'],
    ['P#*/', 'usr/lib/x.tar.gz'],
    ['P##*/', 'x.tar.gz'],
    ['P%.*', '/usr/lib/x.tar'],
    ['P%%.*', '/usr/lib/x'],
    ['P#nothing', '/usr/lib/x.tar.gz'],
    ['P/\\//-', '-usr/lib/x.tar.gz'],
    ['P//\\//-', '-usr-lib-x.tar.gz'],
    ['P//[/-', '/usr/lib/x.tar.gz'],
  ])('%s in braces is %s', (inside, value) => {
    expect(expandWord(braced(inside), lookup, '\\')).toBe(value);
    expect(expandWord(`${braced(inside)}x$A${braced('A')}`, lookup, '\\')).toBe(`${value}x11`);
  });

  it.each([
    ['${A', "missing '}'"],
    [braced(''), 'bad substitution'],
    [braced('A=x'), 'unsupported modifier (=)'],
    [braced('A:#x'), 'unsupported modifier (:#)'],
    [braced('NO:?gone'), 'NO: gone'],
    [braced('EMPTY:?'), 'is not allowed to be empty'],
    ['"x', 'looking for matching double-quote'],
    ["'x", 'looking for matching single-quote'],
  ])('%s is refused', (word, message) => {
    expect(() => expandWord(word, lookup, '\\')).toThrow(message);
  });

  it('bring several words to EXPOSE alone', () => {
    expect(expandWords('$TWO', lookup, '\\')).toEqual(['a', 'b']);
    expect(expandWords('"$TWO" x', lookup, '\\')).toEqual(['a b', 'x']);
  });

  it('K10: no pattern of a stranger’s takes long', () => {
    const long = lookupIn([`X=${'a'.repeat(3_000)}`]);
    const stars = '*a'.repeat(40);
    for (const word of ['${X##', '${X%%', '${X/']) {
      const tail = word === '${X/' ? '/y}' : '}';
      expect(() => expandWord(`${word}${stars.repeat(40)}${tail}`, long, '\\')).toThrow('too long');
      expect(expandWord(`${word}${stars}b${tail}`, long, '\\')).toBe('a'.repeat(3_000));
    }
  });
});

describe('patterns', () => {
  it.each([
    ['*.go', 'a.go', true],
    ['*.go', 'd/a.go', false],
    ['d/*/x?', 'd/e/xy', true],
    ['[a-c]x', 'bx', true],
    ['[^a-c]x', 'bx', false],
    ['[^a]', '/', false],
    ['\\*', '*', true],
    ['a[\\]]', 'a]', true],
  ])('%s and %s: %s', (pattern, path, expected) => {
    expect(matches(pathPattern(pattern), path)).toBe(expected);
  });

  it('are told from names, and refused where they are broken', () => {
    expect(['a*', 'a\\*', 'a\\\\*', '[', 'a'].map(hasWildcards)).toEqual([true, false, true, true, false]);
    expect(() => pathPattern('[')).toThrow('syntax error in pattern');
  });

  it.each([
    ['Dockerfile', 'Dockerfile', true],
    ['*', 'Dockerfile', true],
    ['*\n!Dockerfile', 'Dockerfile', false],
    ['*\n! Dockerfile', 'Dockerfile', false],
    ['**', 'a/Dockerfile', true],
    ['**/Dockerfile', 'a/b/Dockerfile', true],
    ['**/Dockerfile', 'Dockerfile', true],
    ['a/**/c', 'a/c', true],
    ['a', 'a/Dockerfile', true],
    ['/a/', 'a/x', true],
    ['# a\n\nb', 'a', false],
    ['a\n!a/b', 'a/b', false],
    ['x**', 'xyz/w', true],
  ])('C28: .dockerignore %j and %s: %s', (text, path, expected) => {
    expect(isIgnored(path, parseIgnore(text))).toBe(expected);
  });
});

describe('instructions', () => {
  it.each([
    ['CMD ["a", "b"]', { kind: 'cmd', command: { shell: false, words: ['a', 'b'] } }],
    ['CMD a  b', { kind: 'cmd', command: { shell: true, words: ['a  b'] } }],
    ['CMD ["a" b]', { kind: 'cmd', command: { shell: true, words: ['["a" b]'] } }],
    [
      'env A=1 B="2 3"',
      {
        kind: 'env',
        pairs: [
          { key: 'A', value: '1' },
          { key: 'B', value: '"2 3"' },
        ],
      },
    ],
    ['ENV A  the rest ', { kind: 'env', pairs: [{ key: 'A', value: 'the rest' }] }],
    [
      'ARG A B=2 C=',
      { kind: 'arg', args: [{ key: 'A' }, { key: 'B', value: '2' }, { key: 'C', value: '' }] },
    ],
    ['EXPOSE 90 80', { kind: 'expose', words: ['80', '90'] }],
    ['VOLUME ["/a b"]', { kind: 'volume', words: ['/a b'] }],
    ['ONBUILD run x', { kind: 'onbuild', text: 'run x' }],
    ['HEALTHCHECK NONE', { kind: 'healthcheck', check: { Test: ['NONE'] } }],
    [
      'HEALTHCHECK --interval=1m30s --retries=2 CMD ["x"]',
      { kind: 'healthcheck', check: { Test: ['CMD', 'x'], Interval: 90e9, Retries: 2 } },
    ],
    [
      'COPY --from=one --chown=a:b --link x y z/',
      { kind: 'copy', sources: ['x', 'y'], destination: 'z/', chown: 'a:b', from: 'one', foreign: [] },
    ],
    ['ADD --chmod=755 x /', { kind: 'add', sources: ['x'], destination: '/', foreign: ['chmod'] }],
    ['RUN --mount=type=bind,target=/x --mount=type=cache ls', { kind: 'run', foreign: ['mount'] }],
  ])('%s', (text, expected) => {
    expect(instruction(text)).toMatchObject(expected);
  });

  it.each([
    ['FOO bar', 'unknown instruction: FOO'],
    ['__proto__ x', 'unknown instruction: __proto__'],
    ['RUN [1]', 'arrays must be comprised of strings only'],
    ['ENV', 'ENV requires at least one argument'],
    ['ENV A', 'ENV must have two arguments'],
    ['LABEL a=1 b', `can't find = in "b"`],
    ['ENV =x', 'ENV names can not be blank'],
    ['ARG =x', 'ARG names can not be blank'],
    ['COPY x', 'COPY requires at least two arguments, but only one was provided'],
    ['COPY --nope x y', 'unknown flag: --nope'],
    ['COPY --from x y', 'missing a value on flag: --from'],
    ['COPY --from=a --from=b x y', 'duplicate flag specified: --from'],
    ['ENV --x A=1', 'unknown flag: --x'],
    ['ADD --from=a x y', 'unknown flag: --from'],
    ['WORKDIR', 'WORKDIR requires exactly one argument'],
    ['VOLUME [""]', 'VOLUME specified can not be an empty string'],
    ['SHELL sh -c', 'SHELL requires the arguments to be in JSON form'],
    ['SHELL []', 'SHELL requires at least one argument'],
    ['ONBUILD ONBUILD RUN x', "isn't allowed"],
    ['ONBUILD FROM x', "FROM isn't allowed as an ONBUILD trigger"],
    ['HEALTHCHECK NONE x', 'HEALTHCHECK NONE takes no arguments'],
    ['HEALTHCHECK CMD', 'Missing command after HEALTHCHECK CMD'],
    ['HEALTHCHECK TCP x', 'Unknown type "TCP" in HEALTHCHECK (try CMD)'],
    ['HEALTHCHECK --interval=1us CMD x', 'cannot be less than 1ms'],
    ['HEALTHCHECK --retries=-1 CMD x', '--retries cannot be negative (-1)'],
  ])('M46: %s is refused, with its line', (text, message) => {
    expect(() => stages(`FROM x\n\n${text}\n`)).toThrow(`dockerfile parse error on line 3: `);
    expect(() => stages(`FROM x\n\n${text}\n`)).toThrow(message);
  });

  it('begin stages, with arguments before the first', () => {
    const read = stages('ARG V=1\nFROM a:$V as One\nRUN x\nFROM --platform=linux/amd64 b\nRUN y\nRUN z');
    expect(read.global.map(({ code }) => code)).toEqual(['ARG V=1']);
    expect(read.stages).toMatchObject([
      { base: 'a:$V', name: 'one', platform: '' },
      { base: 'b', name: '', platform: 'linux/amd64' },
    ]);
    expect(() => stages('RUN x')).toThrow('no build stage in current context');
    expect(() => stages('FROM a b')).toThrow('FROM requires either one or three arguments');
    expect(() => stages('FROM a AS 1b')).toThrow('invalid name for build stage');
  });

  it('M46: a target is a stage’s name in any case, or its number', () => {
    const all = stages('FROM a AS one\nFROM b AS two\nFROM c').stages;
    expect(stagesUpTo(all, 'TWO')).toHaveLength(2);
    expect(stagesUpTo(all, '0')).toHaveLength(1);
    expect(stagesUpTo(all, '')).toHaveLength(3);
    for (const wrong of ['four', '3']) expect(() => stagesUpTo(all, wrong)).toThrow('could not be found');
  });
});

describe('ports', () => {
  it('U5: are one a port, protocol in small letters', () => {
    expect(exposedPorts('8000-8002')).toEqual(['8000/tcp', '8001/tcp', '8002/tcp']);
    expect(exposedPorts('53/UDP')).toEqual(['53/udp']);
    expect(exposedPorts('127.0.0.1:80:8080')).toEqual(['8080/tcp']);
  });
  it.each([
    ['70000', 'invalid containerPort: 70000'],
    ['9-8', 'invalid containerPort: 9-8'],
    ['0', 'invalid containerPort: 0'],
    ['x', 'invalid containerPort: x'],
    ['80/foo', 'invalid proto: foo'],
    ['/tcp', 'no port specified'],
  ])('U5: %s is refused', (word, message) => {
    expect(() => exposedPorts(word)).toThrow(message);
  });
  it('U5: of images that others made: ranges taken apart, nonsense left out', () => {
    expect(knownPorts({ '8000-8001/tcp': {}, '80/TCP': {}, '81/': {}, junk: {} })).toEqual({
      '8000/tcp': {},
      '8001/tcp': {},
      '80/tcp': {},
      '81/tcp': {},
    });
  });
});

describe('build arguments', () => {
  const args = declareArg(
    declareArg(
      declareGlobal(noArgs({ FOO: 'cli', HTTP_PROXY: 'p', NONE: null, LEFT: 'x' }), 'G', 'global'),
      'FOO',
      'd',
    ),
    'G',
    undefined,
  );
  it('come from the command line, else from their declaration, else from before the first FROM', () => {
    expect(globalVariables(args)).toEqual(['G=global', 'HTTP_PROXY=p']);
    expect(stepVariables(args, [])).toEqual(['FOO=cli', 'G=global', 'HTTP_PROXY=p']);
    expect(stepVariables(args, ['FOO=env'])).toEqual(['G=global', 'HTTP_PROXY=p']);
  });
  it('M46: proxies leave no trace unless they are declared', () => {
    expect(tracedVariables(args, stepVariables(args, []))).toEqual(['FOO=cli', 'G=global']);
    const declared = declareArg(args, 'HTTP_PROXY', undefined);
    expect(tracedVariables(declared, stepVariables(declared, []))).toContain('HTTP_PROXY=p');
  });
  it('M46: those that nobody declared are told', () => {
    expect(unused(args.given, new Set(['FOO']))).toEqual(['LEFT', 'NONE']);
  });
});

describe('configurations', () => {
  const made = (...texts: string[]) =>
    texts.reduce((before, text) => applied(before, instruction(text)) ?? before, {
      config: {},
      cmdSet: false,
      words: '',
    } as NonNullable<ReturnType<typeof applied>>);

  it('M46: ENTRYPOINT drops the command of the base, not the Dockerfile’s own', () => {
    const base = { config: { Cmd: ['base'] }, cmdSet: false };
    expect(applied(base, instruction('ENTRYPOINT ["x"]'))?.config).toEqual({ Cmd: null, Entrypoint: ['x'] });
    expect(made('CMD ["own"]', 'ENTRYPOINT x').config.Cmd).toEqual(['own']);
    expect(made('ENTRYPOINT ["x"]', 'ENTRYPOINT []').config.Entrypoint).toBeNull();
  });

  it('M46: the shell form goes through SHELL', () => {
    const { config, words } = made('SHELL ["/bin/bash", "-ec"]', 'CMD a b');
    expect(config.Cmd).toEqual(['/bin/bash', '-ec', 'a b']);
    expect(words).toBe('CMD ["/bin/bash" "-ec" "a b"]');
    expect(commandLine({ shell: true, words: ['x'] }, {})).toEqual(['/bin/sh', '-c', 'x']);
  });

  it('keep what was, and say what changed in Docker’s words', () => {
    const { config } = made(
      'ENV A=1 B=2',
      'ENV A=3',
      'EXPOSE 80 81/udp',
      'LABEL a=b',
      'VOLUME /v',
      'WORKDIR /a',
      'WORKDIR b',
    );
    expect(config).toMatchObject({
      Env: ['A=3', 'B=2'],
      ExposedPorts: { '80/tcp': {}, '81/udp': {} },
      WorkingDir: '/a/b',
      Volumes: { '/v': {} },
    });
    const words = [
      'ENV A=1 B=2',
      'USER x',
      'VOLUME /a /b',
      'EXPOSE 80',
      'STOPSIGNAL 9',
      'ONBUILD RUN x',
      'MAINTAINER me',
    ];
    expect(words.map((text) => made(text).words)).toEqual([
      'ENV A=1 B=2',
      'USER x',
      'VOLUME [/a /b]',
      'EXPOSE 80',
      'STOPSIGNAL 9',
      'ONBUILD RUN x',
      'MAINTAINER me',
    ]);
    expect(made('HEALTHCHECK --interval=90s CMD x').words).toBe(
      'HEALTHCHECK &{Test:[CMD-SHELL x] Interval:1m30s Timeout:0s StartPeriod:0s StartInterval:0s Retries:0}',
    );
    expect(() => made('STOPSIGNAL nosuch')).toThrow('invalid signal: nosuch');
    expect(applied({ config: {}, cmdSet: false }, instruction('RUN x'))).toBeUndefined();
  });

  it('C4: have their variables put in before anything is compared', () => {
    const lookup = lookupIn(['X=1', 'PORTS=80 81']);
    const ready = (text: string) => expanded(instruction(text), lookup, '\\');
    expect(ready('ENV A=$X B="$X $X"')).toMatchObject({ pairs: [{ value: '1' }, { value: '1 1' }] });
    expect(ready('EXPOSE $PORTS')).toMatchObject({ words: ['80', '81'] });
    expect(ready('COPY --chown=$X --from=$X a$X /$X')).toMatchObject({
      sources: ['a1'],
      destination: '/1',
      chown: '1',
      from: '$X',
    });
    expect(ready('RUN $X')).toMatchObject({ command: { words: ['$X'] } });
    expect(ready('ONBUILD ENV $X=1')).toMatchObject({ text: 'ENV $X=1' });
    const [label] = labelInstructions({ b: '$X', a: '2' });
    expect(label).toMatchObject({ code: 'LABEL a=2' });
    const literal = labelInstructions({ b: '$X' })[0];
    expect(literal && expanded(literal, lookup, '\\')).toMatchObject({ pairs: [{ value: '$X' }] });
  });
});

it('durations are read and shown as Go does', () => {
  expect(['1h2m3s', '1.5s', '300ms', '0'].map(parseDuration)).toEqual([3723e9, 1.5e9, 3e8, 0]);
  expect([3723e9, 90e9, 3e8, 1.5e9, 0].map(showDuration)).toEqual(['1h2m3s', '1m30s', '300ms', '1.5s', '0s']);
  for (const wrong of ['', '5', 'x', '1y']) expect(() => parseDuration(wrong)).toThrow('invalid duration');
});

it('M27: platforms are read, nonsense is refused', () => {
  const own = { os: 'linux', architecture: 'amd64' };
  expect(['linux/x86_64', 'linux', 'arm64', 'linux/arm/v7'].map((text) => parsePlatform(text, own))).toEqual([
    own,
    own,
    { os: 'linux', architecture: 'arm64' },
    { os: 'linux', architecture: 'arm' },
  ]);
  for (const wrong of ['foobar', 'linux/foo', 'a/b/c/d', ''])
    expect(() => parsePlatform(wrong, own)).toThrow('unknown operating system or architecture');
});

it('U12: credentials are found by the registry’s name in any of its spellings', () => {
  const known = {
    'https://index.docker.io/v1/': 'hub',
    'localhost:5000': 'plain',
    'https://reg.io/v2/': 'url',
  };
  expect(
    ['docker.io', 'localhost:5000', 'reg.io', 'other'].map((name) => credentialsFor(known, name)),
  ).toEqual(['hub', 'plain', 'url', undefined]);
  expect(credentialsFor({}, '__proto__')).toBeUndefined();
});
