/** `docker build` from outside: what a build sees, what it leaves, what it says. Contexts and Dockerfiles are a stranger's. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import tar from 'tar-stream';
import { describe, expect, test } from 'vitest';
import { CLIENTS } from '../support/daemon.js';
import { daemonForThisFile, phrasesFor } from '../support/phrases.js';
import { spawnRegistry } from '../support/registry.js';
import { until } from '../support/run.js';

const d = daemonForThisFile({ images: ['alpine', 'nettools'] });
const { inspect, sleeper } = phrasesFor(d);

let contexts = 0;
/** A directory with these files and this Dockerfile. */
const context = (dockerfile: string, files: Record<string, string> = {}): string => {
  const directory = join(d.world.base, `context-${contexts++}`);
  for (const [name, text] of Object.entries({ ...files, Dockerfile: dockerfile })) {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  }
  return directory;
};

/** Both outputs, and the exit code. */
const build = async (
  dockerfile: string,
  flags: readonly string[] = [],
  files: Record<string, string> = {},
) => {
  const { code, stdout, stderr } = await d.docker.try(['build', ...flags, context(dockerfile, files)]);
  return { code, said: `${stdout}\n${stderr}` };
};

/** What RUN prints, without the builder's own lines. */
const ran = async (command: string, flags: readonly string[] = [], from = 'nettools'): Promise<string> => {
  const { code, said } = await build(`FROM ${from}\nRUN ${command}\n`, ['--no-cache', ...flags]);
  expect(said, said).toContain('Successfully built');
  expect(code).toBe(0);
  return said.split(' ---> Running in ')[1]?.split('\n').slice(1).join('\n').split(' ---> Removed')[0] ?? '';
};

type Entry = readonly [Parameters<tar.Pack['entry']>[0], string?];

const tarOf = async (entries: readonly Entry[]): Promise<Buffer> => {
  const pack = tar.pack();
  for (const [header, text] of entries) pack.entry(header, text ?? '');
  pack.finalize();
  const chunks: Buffer[] = [];
  // tar-stream's Pack is streamx's Readable, which has Node's interface but not its type
  for await (const chunk of Readable.from(pack as unknown as AsyncIterable<Buffer>)) chunks.push(chunk);
  return Buffer.concat(chunks);
};

/** The raw endpoint, for contexts that the client would not send. */
const post = (body: Buffer, query = ''): Promise<{ status: number; text: string }> =>
  new Promise((resolve, reject) => {
    const headers = { host: 'docker', 'content-type': 'application/x-tar', 'content-length': body.length };
    const call = request(
      { socketPath: d.socket, method: 'POST', path: `/build?${query}`, headers },
      (answer) => {
        let text = '';
        answer.on('data', (chunk: Buffer) => {
          text += chunk.toString();
        });
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
      },
    );
    call.on('error', reject);
    call.end(body);
  });

/** Command lines of processes of this machine. */
const processes = (): readonly string[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()];
      } catch {
        return [];
      }
    });

const containers = async (): Promise<number> =>
  (await d.docker('ps', '-aq')).split('\n').filter((line) => line !== '').length;

describe('E10 what a build says and makes', () => {
  test('E10 M46: stages, arguments, files and configuration, in the classic builder’s lines', async () => {
    const dockerfile = [
      'ARG BASE=alpine',
      'FROM $BASE AS One',
      'ARG FOO=default',
      'RUN echo "for $FOO" >/for && echo loud && echo red >&2',
      'WORKDIR /made',
      'COPY --chown=1:2 dir/*.txt sub/',
      'FROM scratch',
      'COPY --from=ONE /for /made/sub/ /out/',
      'COPY --from=0 /made /made',
      'LABEL a=b',
      'ENTRYPOINT ["/x"]',
      'CMD ["y"]',
      '',
    ].join('\n');
    const flags = ['-t', 'many:1', '--build-arg', 'FOO=me', '--build-arg', 'LEFT=1', '--label', 'c=d e'];
    const { code, said } = await build(dockerfile, flags, { 'dir/a.txt': 'a', 'dir/b.md': 'b' });
    expect(code, said).toBe(0);
    for (const line of [
      'Step 1/13 : ARG BASE=alpine\n',
      'Step 2/13 : FROM $BASE AS One\n ---> ',
      'loud\n',
      '\u001b[91mred\n\u001b[0m',
      ' ---> Running in ',
      ' ---> Removed intermediate container ',
      'Step 7/13 : FROM scratch\n ---> \nStep 8/13',
      'Step 13/13 : LABEL c=d e\n',
      '[Warning] One or more build-args [LEFT] were not consumed\n',
      'Successfully tagged many:1\n',
    ])
      expect(said).toContain(line);
    expect(await inspect('{{json .Config.Labels}} {{.Config.Entrypoint}} {{.Config.Cmd}}', 'many:1')).toBe(
      '{"a":"b","c":"d e"} [/x] [y]',
    );
    const id = await d.docker('create', 'many:1');
    await d.host(`mkdir -p ${d.world.base}/out && cd ${d.world.base}/out`);
    const target = join(d.world.base, 'out');
    await d.docker('cp', `${id}:/`, target);
    expect(readFileSync(join(target, 'out/for'), 'utf8')).toBe('for me\n');
    expect(readdirSync(join(target, 'made/sub'))).toEqual(['a.txt']);
    expect(existsSync(join(target, 'out/a.txt'))).toBe(true);
    expect(await d.docker('export', id).then((text) => text.length)).toBeGreaterThan(0);
    const history = await d.docker('history', '--no-trunc', '--format', '{{.CreatedBy}}', 'many:1');
    expect(history).toContain('/bin/sh -c #(nop)  ENTRYPOINT ["/x"]');
    expect(history).toMatch(/#\(nop\) COPY dir:[0-9a-f]{64} in \/made /);
    expect(await containers()).toBe(1);
  });

  test('E10 M46: a step that was made is used again, until something it depends on changes', async () => {
    const dockerfile = 'FROM alpine\nCOPY f /f\nRUN date +%N >/now\nENV A=1\n';
    const id = async (files: Record<string, string>, flags: readonly string[] = []) => {
      const { said } = await build(dockerfile, ['-t', 'cached', ...flags], files);
      return { id: await inspect('{{.Id}}', 'cached'), hits: said.split(' ---> Using cache').length - 1 };
    };
    const first = await id({ f: '1' });
    expect(await id({ f: '1' })).toEqual({ id: first.id, hits: 3 });
    expect((await id({ f: '2' })).hits).toBe(0);
    expect((await id({ f: '1' }, ['--no-cache'])).hits).toBe(0);
    // with the image goes what was built on the way to it
    await d.docker('rmi', '-f', first.id).catch(() => '');
    await d.docker('image', 'prune', '-f');
    await d.docker('rmi', 'cached');
    expect((await id({ f: '1' })).hits).toBe(0);
  });

  test('M46: RUN [] runs what the image would; words that only look alike are other steps', async () => {
    expect((await build('FROM alpine\nCMD ["echo", "by default"]\nRUN []\n')).said).toContain(
      '\nby default\n',
    );
    await build('FROM alpine\nRUN ["sh", "-c", "echo a >/which"]\n', ['-t', 'which']);
    const other = await build('FROM alpine\nRUN ["sh", "-c", "echo", "a >/which"]\n', ['-t', 'which']);
    expect(other.said).not.toContain('Using cache');
  });

  test('E10: what was built before a failure is there for the next try', async () => {
    const failing = await build('FROM alpine\nRUN date +%N >/now\nRUN exit 7\n');
    expect(failing.code).toBe(7);
    expect(failing.said).toContain("The command '/bin/sh -c exit 7' returned a non-zero code: 7");
    const { said } = await build('FROM alpine\nRUN date +%N >/now\nRUN exit 0\n', ['-t', 'second']);
    expect(said.split('Using cache').length - 1).toBe(1);
  });

  test('C4: a build argument that comes to something else is another step, whatever the instruction', async () => {
    for (const last of ['ENV V=$FOO', 'LABEL v=$FOO', 'WORKDIR /w$FOO', 'USER $FOO', 'EXPOSE $FOO']) {
      const results: string[] = [];
      for (const value of ['1001', '1002', '1001']) {
        await build(`FROM alpine\nARG FOO\n${last}\n`, ['-t', 'c4', '--build-arg', `FOO=${value}`]);
        results.push(await inspect('{{json .Config}}', 'c4'));
      }
      expect(results[0]).toContain('1001');
      expect(results[1]).toContain('1002');
      expect(results[2]).toBe(results[0]);
    }
  });

  test('C26 C27 M46: no label of any tool; --cache-from takes only what led there', async () => {
    const dockerfile = 'FROM alpine\nRUN date +%N >/now\nENV A=1\n';
    await build(dockerfile, ['-t', 'source']);
    expect(await inspect('{{json .Config.Labels}}', 'source')).toBe('null');
    const hits = async (from: string) =>
      (await build(dockerfile, ['--cache-from', from])).said.split('Using cache').length - 1;
    expect(await hits('nosuch')).toBe(0);
    expect(await hits('alpine')).toBe(0);
    expect(await hits('source')).toBe(2);
  });

  test('U4 M45: a Dockerfile from elsewhere, and from standard input', async () => {
    const directory = context('FROM nosuch\n', { f: 'x', '.dockerignore': 'nothing\n' });
    const elsewhere = join(d.world.base, 'elsewhere.df');
    writeFileSync(elsewhere, 'FROM alpine\nCOPY f /f\n');
    await d.docker('build', '-t', 'outside', '-f', elsewhere, directory);
    expect(await d.docker('run', '--rm', 'outside', 'cat', '/f')).toBe('x');
    const input = await d.docker.try(['build', '-t', 'stdin', '-f', '-', directory], {
      input: 'FROM alpine\nCOPY f /g\n',
    });
    expect(input.code, input.stderr).toBe(0);
    // what the client sends then: the last member neither padded nor followed by an end
    const whole = await tarOf([[{ name: 'Dockerfile' }, 'FROM alpine\nENV A=1\n']]);
    const { text } = await post(whole.subarray(0, 512 + 'FROM alpine\nENV A=1\n'.length));
    expect(text).toContain('Successfully built');
  });

  test('U5: EXPOSE is one entry a port, of built and of loaded images', async () => {
    await build('FROM alpine\nEXPOSE 8000-8002 53/UDP\n', ['-t', 'ports']);
    expect(await inspect('{{json .Config.ExposedPorts}}', 'ports')).toBe(
      '{"53/udp":{},"8000/tcp":{},"8001/tcp":{},"8002/tcp":{}}',
    );
    expect(await d.docker('run', '--rm', 'ports', 'echo', 'runs')).toBe('runs');
    expect((await build('FROM alpine\nEXPOSE 70000\n')).said).toContain('invalid containerPort: 70000');
    // as podman writes it
    const config = JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: { ExposedPorts: { '8000-8001/tcp': {}, '80/TCP': {} } },
      rootfs: { type: 'layers', diff_ids: [] },
    });
    const manifest = JSON.stringify([{ Config: 'config.json', RepoTags: ['ranges:1'], Layers: [] }]);
    const archive = join(d.world.base, 'ranges.tar');
    writeFileSync(
      archive,
      await tarOf([
        [{ name: 'config.json' }, config],
        [{ name: 'manifest.json' }, manifest],
      ]),
    );
    await d.docker('load', '-i', archive);
    expect(await inspect('{{json .Config.ExposedPorts}}', 'ranges:1')).toBe(
      '{"80/tcp":{},"8000/tcp":{},"8001/tcp":{}}',
    );
  });

  test('M46: ONBUILD, SHELL, targets in any case, containers that stay', async () => {
    await build('FROM alpine\nONBUILD RUN echo triggered >/t\nONBUILD LABEL on=build\n', ['-t', 'trigger']);
    expect(await inspect('{{json .Config.OnBuild}}', 'trigger')).toBe(
      '["RUN echo triggered >/t","LABEL on=build"]',
    );
    const { said } = await build('FROM trigger\nRUN cat /t\n', ['-t', 'triggered']);
    expect(said).toContain('# Executing 2 build triggers\n');
    expect(said).toContain('\ntriggered\n');
    expect(await inspect('{{json .Config.OnBuild}} {{.Config.Labels.on}}', 'triggered')).toBe('null build');

    await build('FROM alpine\nSHELL ["/bin/sh", "-ec"]\nENTRYPOINT a b\n', ['-t', 'shell']);
    expect(await inspect('{{json .Config.Entrypoint}} {{json .Config.Cmd}}', 'shell')).toBe(
      '["/bin/sh","-ec","a b"] null',
    );
    const target = await build('FROM alpine AS one\nFROM alpine\nRUN false\n', ['--target', 'ONE']);
    expect(target.code, target.said).toBe(0);

    await build('FROM alpine\nRUN echo kept >/kept\n', ['--rm=false', '--no-cache', '-t', 'kept']);
    const [id = ''] = (await d.docker('ps', '-aq')).split('\n');
    expect(await d.docker('diff', id)).toContain('A /kept');
    expect(await d.docker('run', '--rm', 'kept', 'cat', '/kept')).toBe('kept');
  });

  test('U12: a private base is pulled with the client’s credentials for its registry', async () => {
    const { base, enter } = d.world;
    const registry = spawnRegistry({ directory: base, port: 5010, login: true, enter });
    try {
      await until(
        'the registry answers',
        async () => (await d.host.try('curl -s http://127.0.0.1:5010/v2/')).code === 0,
      );
      const config = join(d.world.base, 'client-with-login');
      mkdirSync(config, { recursive: true });
      const auth = Buffer.from('me:secret').toString('base64');
      writeFileSync(join(config, 'config.json'), JSON.stringify({ auths: { 'localhost:5010': { auth } } }));
      const env = { DOCKER_CONFIG: config };
      await d.docker('tag', 'alpine', 'localhost:5010/private/base:1');
      const pushed = await d.docker.try(['push', 'localhost:5010/private/base:1'], { env });
      expect(pushed.code, pushed.stderr).toBe(0);
      await d.docker('rmi', 'localhost:5010/private/base:1');
      const directory = context(
        'FROM localhost:5010/private/base:1\nCOPY --from=localhost:5010/private/base:1 /etc/passwd /p\n',
      );
      const without = await d.docker.try(['build', directory]);
      expect(without.stderr).toContain('pull access denied for localhost:5010/private/base');
      const { code, stdout, stderr } = await d.docker.try(['build', '--pull', directory], { env });
      expect(code, stderr).toBe(0);
      expect(stdout).toContain('Successfully built');
    } finally {
      registry.kill('SIGKILL');
    }
  });

  test('E10: ADD unpacks archives of the context, and fetches', async () => {
    const directory = context('FROM alpine\nADD a.tar.gz /un/\nADD plain /un/\nCOPY a.tar.gz /asis/\n', {
      plain: 'p',
    });
    await d.host(`cd ${directory} && mkdir t && echo in >t/f && tar czf a.tar.gz t && rm -r t`);
    await d.docker('build', '-t', 'added', directory);
    expect(await d.docker('run', '--rm', 'added', 'sh', '-c', 'cat /un/t/f /un/plain; ls /asis')).toBe(
      'in\npa.tar.gz',
    );
    const served = join(d.world.base, 'served');
    mkdirSync(served, { recursive: true });
    writeFileSync(join(served, 'file.txt'), 'fetched\n');
    await d.host(`busybox httpd -p 127.0.0.1:8123 -h ${served}`);
    try {
      const { said } = await build(
        'FROM alpine\nADD http://127.0.0.1:8123/file.txt /got/\nRUN cat /got/file.txt\n',
      );
      expect(said).toContain('\nfetched\n');
      expect((await build('FROM alpine\nADD http://127.0.0.1:8123/no /\n')).said).toContain(
        'with status 404',
      );
    } finally {
      await d.host("kill $(ss -Hltnp 'sport = :8123' | grep -o 'pid=[0-9]*' | cut -d= -f2)");
    }
  });
});

describe('A K1, A K14: nothing of a context or a Dockerfile leads out', () => {
  const secret = () => {
    const directory = join(d.world.base, 'canary');
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, 'secret'), 'the canary sings\n');
    return directory;
  };

  test('A K1: a link in the context and RUN --mount', async () => {
    const canary = secret();
    const directory = context('FROM alpine\nRUN --mount=type=bind,source=link,target=/x,rw cat /x/secret\n');
    symlinkSync(canary, join(directory, 'link'));
    // the control: whoever follows the path as the host's is there
    expect(readFileSync(join(directory, 'link/secret'), 'utf8')).toContain('sings');
    const { code, stdout, stderr } = await d.docker.try(['build', directory]);
    expect(code).not.toBe(0);
    expect(stderr).toContain('the --mount option requires BuildKit');
    expect(stdout).not.toContain('sings');
  });

  test('A K1: links of the context and of the image, on both sides of COPY and ADD', async () => {
    const canary = secret();
    const sources = context('FROM alpine\nCOPY link/secret /s\n');
    symlinkSync(canary, join(sources, 'link'));
    symlinkSync(join(canary, 'secret'), join(sources, 'file'));
    symlinkSync('../../../../../../../../etc/passwd', join(sources, 'up'));
    for (const source of ['link/secret', 'link/', 'file', 'up', 'l*/secret', '../canary/secret']) {
      writeFileSync(join(sources, 'Dockerfile'), `FROM alpine\nCOPY ${source} /s/\nRUN cat /s/*\n`);
      const { code, stdout, stderr } = await d.docker.try(['build', sources]);
      expect([source, code]).toEqual([source, 1]);
      expect(stderr).toMatch(/file not found in build context|no source files|forbidden path/);
      expect(stdout).not.toMatch(/sings|root:/);
    }
    // a link is copied as a link
    writeFileSync(
      join(sources, 'Dockerfile'),
      'FROM alpine\nCOPY . /s/\nRUN readlink /s/file; ! cat /s/file\n',
    );
    expect(await d.docker('build', sources)).toContain(`\n${canary}/secret\n`);

    const targets = context(
      `FROM alpine\nRUN ln -s ${canary} /out && ln -s ${canary}/new /new && ln -s / /root-link\nCOPY f /out/\nCOPY f /new\nADD a.tar /out/\nCOPY d /out/d\nCOPY f /root-link/../../../up\n`,
      { f: 'in', 'd/g': 'in' },
    );
    await d.host(`cd ${targets} && echo t >t && tar cf a.tar t`);
    const { code, stderr } = await d.docker.try(['build', '-t', 'linked', targets]);
    expect(code, stderr).toBe(0);
    expect(readdirSync(canary)).toEqual(['secret']);
    expect(
      await d.docker('run', '--rm', 'linked', 'sh', '-c', `cd ${canary} && ls; cat f d/g /new /up`),
    ).toBe('d\nf\nt\nininin' + 'in');
  });

  test('A K1: members of a hostile tar; FIFOs and devices are never opened (A K10)', async () => {
    const canary = secret();
    const dockerfile: Entry = [{ name: 'Dockerfile' }, 'FROM alpine\nCOPY . /c/\nRUN cd /c && ls -R\n'];
    const victim = join(canary, 'victim');
    for (const entries of [
      [[{ name: victim }, 'absolute']],
      [[{ name: `../../../../../../../..${victim}` }, 'dots']],
      [[{ name: 'out', type: 'symlink', linkname: canary }], [{ name: 'out/victim' }, 'link']],
      [[{ name: 'hard', type: 'link', linkname: `${canary}/secret` }], [{ name: 'hard' }, 'changed']],
    ] as const satisfies readonly (readonly Entry[])[]) {
      await post(await tarOf([...entries, dockerfile]), 't=hostile');
      expect(readdirSync(canary)).toEqual(['secret']);
      expect(readFileSync(join(canary, 'secret'), 'utf8')).toContain('sings');
    }
    const pipe = (name: string): Entry => [{ name, type: 'fifo' }];
    const copied = await post(
      await tarOf([pipe('.dockerignore'), pipe('.containerignore'), pipe('p'), dockerfile]),
    );
    expect(copied.text).toContain('Successfully built');
    const { text, status } = await post(await tarOf([pipe('Dockerfile')]));
    expect([status, text]).toEqual([400, expect.stringContaining('Cannot locate specified Dockerfile')]);
    const linked = await post(
      await tarOf([[{ name: 'Dockerfile', type: 'symlink', linkname: '/etc/passwd' }]]),
    );
    expect(linked.text).toContain('Cannot locate specified Dockerfile');
    expect((await post(Buffer.from('no tar at all'.repeat(100)))).text).toContain(
      'Error processing tar file',
    );
  });

  test('A K14: FROM and --from name images, not files of the host', async () => {
    const archive = join(d.world.base, 'host.tar');
    await d.docker('save', '-o', archive, 'alpine');
    for (const name of [`docker-archive:${archive}`, `dir:${d.world.base}`, `oci:${d.world.base}`, archive]) {
      const from = await build(`FROM ${name}\nRUN true\n`);
      const copy = await build(`FROM alpine\nCOPY --from=${name} /etc/passwd /p\n`);
      for (const { code, said } of [from, copy]) {
        expect([name, code]).toEqual([name, 1]);
        expect(said).toContain('invalid reference format');
      }
    }
  });
});

describe('A K2, U3, C7: a step is a container', () => {
  test('A K2 U3 C7 M16: its own processes, network and capabilities, none of the host’s', async () => {
    await sleeper('victim');
    const said = await ran(
      'echo "pids $(ls -d /proc/[0-9]* | wc -l)"; ip -br addr show eth0; grep CapEff /proc/self/status; ping -c1 -W2 172.17.0.1 >/dev/null && echo pinged; ls -l /dev/kmsg 2>&1; cd /proc; for p in [0-9]*; do tr "\\\\0" " " <$p/cmdline | grep -q "^sleep 600" && kill -9 $p; done; true',
    );
    expect(Number(/pids (\d+)/.exec(said)?.[1])).toBeLessThan(6);
    expect(said).toMatch(/172\.17\.0\.\d+\/16/);
    expect(said).toContain('00000000a80425fb');
    expect(said).toContain('pinged');
    expect(said).toContain('No such file');
    expect(await inspect('{{.State.Status}}', 'victim')).toBe('running');
  });

  test('U3: all that a step started ends with it, and nothing listens on the host', async () => {
    await ran(
      '(setsid sleep 4321.5 >/dev/null 2>&1 </dev/null &); socat TCP-LISTEN:18080,fork /dev/null & sleep 0.2; ss -Hltn',
    );
    expect(processes().filter((line) => line.startsWith('sleep 4321.5'))).toEqual([]);
    expect(await d.host('ss -Hltn sport = :18080')).toBe('');
    expect(await containers()).toBe(0);
  });

  test('U3: limits are kept', async () => {
    const flags = [
      '--ulimit',
      'nofile=123:456',
      '--shm-size',
      '12m',
      '--memory',
      '64m',
      '--add-host',
      'there:192.0.2.9',
    ];
    const said = await ran(
      'ulimit -n; ulimit -Hn; df -k /dev/shm | tail -1; grep there /etc/hosts; cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null; true',
      flags,
      'alpine',
    );
    for (const text of ['123\n456\n', '12288', '192.0.2.9\tthere', '67108864']) expect(said).toContain(text);
    for (const [flag, words] of [
      [['--cgroup-parent', 'x'], 'cgroup parent'],
      [['--security-opt', 'apparmor=x'], 'security options are not supported on linux'],
      [['--squash'], 'squash'],
      [['--platform', 'foobar'], 'unknown operating system or architecture'],
      [['--platform', 'linux/s390x'], 'is not supported'],
      [['--memory', '1k'], 'Minimum memory limit allowed is 6MB'],
      [['--isolation', 'hyperv'], 'unsupported isolation'],
    ] as const)
      expect((await build('FROM alpine\n', flag)).said).toContain(words);
  });

  test('C15 M16: networks by name, none, host, and another container’s', async () => {
    await d.docker('network', 'create', '--subnet', '10.88.0.0/24', 'n');
    await sleeper('other', '--network', 'n');
    const addresses = (network: string) => ran('ip -br addr; true', ['--network', network]);
    expect(await addresses('n')).toMatch(/10\.88\.0\.\d+\/24/);
    expect(await addresses('none')).not.toContain('eth0');
    expect(await addresses('host')).toContain('192.0.2.2');
    expect(await addresses('container:other')).toContain(
      await inspect('{{(index .NetworkSettings.Networks "n").IPAddress}}', 'other'),
    );
    expect(await ran('ping -c1 -W2 other >/dev/null && echo by name', ['--network', 'n'])).toContain(
      'by name',
    );
    expect((await build('FROM alpine\nRUN true\n', ['--no-cache', '--network', 'nosuch'])).said).toContain(
      'nosuch',
    );
  });

  const MARK = 'sleep 8765.25';
  const running = () => processes().some((line) => line.startsWith(MARK));

  test('A K2: a client that leaves takes the step along', async () => {
    const directory = context(`FROM alpine\nRUN ${MARK}\n`);
    const client = spawn(CLIENTS[0] ?? 'docker', ['build', directory], {
      env: { ...process.env, DOCKER_HOST: `unix://${d.socket}`, DOCKER_BUILDKIT: '0' },
      stdio: 'ignore',
    });
    await until('the step runs', async () => running(), 20_000);
    client.kill('SIGKILL');
    await until('it has ended', async () => !running(), 20_000);
    await until('its container is gone', async () => (await containers()) === 0, 20_000);
    await until(
      'its files are gone',
      async () => readdirSync(join(d.dataRoot, 'images/tmp')).length === 0,
      20_000,
    );
  });

  test('A K2: what a killed daemon left of a step is removed by the next', async () => {
    const directory = context(`FROM alpine\nRUN ${MARK}\n`);
    const client = d.docker.try(['build', directory]);
    await until('the step runs', async () => running(), 20_000);
    await d.kill9();
    expect((await client).code).not.toBe(0);
    expect(running()).toBe(true);
    await d.start();
    await until('it has ended', async () => !running(), 20_000);
    await until('its container is gone', async () => (await containers()) === 0, 20_000);
    expect(readdirSync(join(d.dataRoot, 'images/tmp'))).toEqual([]);
  });
});
