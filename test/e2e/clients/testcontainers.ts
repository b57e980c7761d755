/**
 * A program that uses testcontainers as its documentation shows, to be run on the daemon's host, where published ports
 * are. Its last line is what it saw, as JSON; it fails where testcontainers does.
 */
import { text } from 'node:stream/consumers';
import { GenericContainer, Network, Wait } from 'testcontainers';

// Following a log keeps no process alive: without this one it would end before the log has arrived.
const alive = setInterval(() => {}, 1000);

const fetched = async (url: string): Promise<string> => (await fetch(url)).text();

/** A server with a port of the host's choice, once that port answers. */
const byPort = async () => {
  const web = await new GenericContainer('nginx').withExposedPorts(80).start();
  const page = await fetched(`http://${web.getHost()}:${web.getMappedPort(80)}/`);
  const local = await fetched(`http://localhost:${web.getFirstMappedPort()}/`);
  const said = await web.exec(['sh', '-c', 'echo out; echo err >&2; exit 3']);
  const three = await Promise.all(['1', '2', '3'].map((each) => web.exec(['echo', each])));
  const copied = await text(await web.copyArchiveFromContainer('/etc/os-release'));
  await web.restart();
  const again = await fetched(`http://localhost:${web.getMappedPort(80)}/`);
  await web.stop();
  return {
    title: /<title>(.*)<\/title>/.exec(page)?.[1],
    local: local === page,
    again: again === page,
    exec: { exitCode: said.exitCode, stdout: said.stdout, stderr: said.stderr },
    parallel: three.map(({ stdout }) => stdout.trim()),
    copied: copied.includes('Viaduct test image (nginx)'),
  };
};

/** A port of the user's choice; three ways to wait at once. */
const byLogAndHttp = async () => {
  const web = await new GenericContainer('nginx')
    .withExposedPorts({ container: 80, host: 24480 }, 443)
    .withWaitStrategy(
      Wait.forAll([
        Wait.forLogMessage(/start worker process/),
        Wait.forHttp('/', 80).forStatusCode(200),
        Wait.forListeningPorts(),
      ]),
    )
    .start();
  const seen = { fixed: web.getMappedPort(80), other: web.getMappedPort(443) !== 443 };
  await web.stop();
  return seen;
};

/** Health, a command that must succeed, a container that ends by itself. */
const byOtherSigns = async () => {
  const healthy = await new GenericContainer('alpine')
    .withCommand(['sleep', '600'])
    .withHealthCheck({
      test: ['CMD-SHELL', 'test -d /'],
      interval: 200,
      timeout: 2000,
      retries: 5,
      startPeriod: 0,
    })
    .withWaitStrategy(Wait.forHealthCheck())
    .start();
  await healthy.stop({ timeout: 0 });
  const able = await new GenericContainer('alpine')
    .withCommand(['sleep', '600'])
    .withWaitStrategy(Wait.forSuccessfulCommand('true'))
    .start();
  await able.stop({ timeout: 0 });
  const ended = await new GenericContainer('alpine')
    .withCommand(['echo', 'done'])
    .withWaitStrategy(Wait.forOneShotStartup())
    .start();
  const log = await text(await ended.logs());
  await ended.stop();
  return { log };
};

/** Two containers on a network: aliases, copied files, environment, labels. */
const onANetwork = async () => {
  const network = await new Network().start();
  const db = await new GenericContainer('nettools')
    .withNetwork(network)
    .withNetworkAliases('db', 'database')
    .withEnvironment({ WHO: 'db' })
    .withLabels({ role: 'store' })
    .withCopyContentToContainer([{ content: 'hello by copy\n', target: '/conf/greeting' }])
    .withCommand([
      'sh',
      '-c',
      'echo "$WHO is ready"; exec socat TCP-LISTEN:5432,fork,reuseaddr SYSTEM:"cat /conf/greeting"',
    ])
    .withWaitStrategy(Wait.forLogMessage('db is ready'))
    .start();
  const client = await new GenericContainer('nettools')
    .withNetwork(network)
    .withCommand(['sleep', '600'])
    .start();
  const ask = async (name: string) => (await client.exec(['nc', '-w', '3', name, '5432'])).stdout;
  const seen = {
    db: await ask('db'),
    database: await ask('database'),
    byAddress: await ask(db.getIpAddress(network.getName())),
  };
  await Promise.all([client.stop({ timeout: 0 }), db.stop({ timeout: 0 })]);
  await network.stop();
  return seen;
};

const fromDockerfile = async () => {
  const image = await GenericContainer.fromDockerfile(process.argv[2] ?? '').build();
  const web = await image.withExposedPorts(80).start();
  const page = await fetched(`http://localhost:${web.getMappedPort(80)}/`);
  await web.stop({ timeout: 0 });
  return page;
};

const seen = {
  byPort: await byPort(),
  byLogAndHttp: await byLogAndHttp(),
  byOtherSigns: await byOtherSigns(),
  onANetwork: await onANetwork(),
  fromDockerfile: await fromDockerfile(),
};
clearInterval(alive);
process.stdout.write(`${JSON.stringify(seen)}\n`);
process.exit(0);
