/** Programs for servers and clients of services, to be run in a namespace: each says one line when it is ready, or what it has heard. */

export const SERVER = `
  const name = process.argv[1];
  require('net').createServer((s) => {
    s.on('error', () => {}).on('data', (d) => s.write(d));
    s.write(name + ' ' + s.remoteAddress + '\\n');
  }).listen(80, '::', () => console.log('ready'));
  const u = require('dgram').createSocket('udp6');
  u.on('message', (m, { port, address }) => u.send(name, port, address)).bind(53);`;

/** Connections, so many a second: who answered how often, and what failed. */
export const CALLS = `
  const [host, count, rate] = process.argv.slice(1);
  const said = {};
  let open = Number(count);
  const done = (what) => {
    said[what] = (said[what] ?? 0) + 1;
    if ((open -= 1) === 0) console.log(JSON.stringify(said));
  };
  for (let i = 0; i < Number(count); i += 1)
    setTimeout(() => {
      const s = require('net').connect({ host, port: 80, timeout: 3000 });
      s.once('data', (d) => { done(String(d).split(' ')[0]); s.destroy(); });
      s.once('timeout', () => { done('timeout'); s.destroy(); });
      s.once('error', (e) => done(e.code));
    }, (i * 1000) / Number(rate));`;

export const DATAGRAMS = `
  const [host, count] = process.argv.slice(1);
  const said = {};
  let open = Number(count);
  const done = (what) => {
    said[what] = (said[what] ?? 0) + 1;
    if ((open -= 1) === 0) { console.log(JSON.stringify(said)); process.exit(); }
  };
  for (let i = 0; i < Number(count); i += 1) {
    const u = require('dgram').createSocket(host.includes(':') ? 'udp6' : 'udp4');
    u.once('message', (m) => done(String(m)));
    u.send('?', 53, host, (e) => e && done(e.code));
  }
  setTimeout(() => { console.log(JSON.stringify({ ...said, unanswered: open })); process.exit(); }, 3000);`;

/** One connection: what the server says. */
export const HELLO = `
  const s = require('net').connect({ host: process.argv[1], port: 80 });
  s.once('data', (d) => { console.log(JSON.stringify({ [String(d).trim()]: 1 })); s.destroy(); });`;

/** One connection that sends a line every 100 ms, and says what it hears and how it ends. */
export const TALK = `
  const s = require('net').connect({ host: process.argv[1], port: 80 });
  s.on('data', (d) => process.stdout.write(d));
  s.on('error', (e) => { console.log(e.code); process.exit(); });
  s.on('close', () => { console.log('closed'); process.exit(); });
  setInterval(() => s.write('line\\n'), 100);`;

export const node = (ns: string, script: string, ...args: readonly string[]): readonly string[] => [
  `--net=${ns}`,
  process.execPath,
  '-e',
  script,
  '--',
  ...args,
];
