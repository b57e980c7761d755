/** Lays out the root directory of one recipe: a small merged-/usr Debian around BusyBox, then what the recipe adds. */

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { placePrograms, runUnpacked } from './packages.js';
import type { Recipe } from './recipes.js';

const DIRECTORIES =
  'dev etc home mnt opt proc root run srv sys usr/bin usr/sbin usr/lib usr/local/bin var/log var/www';

const PASSWD = `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
bin:x:2:2:bin:/bin:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
`;

const GROUP = `root:x:0:
daemon:x:1:
bin:x:2:
tty:x:5:
www-data:x:33:
nogroup:x:65534:
`;

const TEXTS: Readonly<Record<string, string>> = {
  'etc/passwd': PASSWD,
  'etc/group': GROUP,
  'etc/shadow': 'root:*::0:::::\n',
  'etc/nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
  'etc/hosts': '127.0.0.1\tlocalhost\n',
};

const put = (root: string, path: string, text: string): void => {
  const target = join(root, path);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, text);
};

const link = (root: string, path: string, target: string): void => {
  rmSync(join(root, path), { force: true });
  symlinkSync(target, join(root, path));
};

const exists = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;

const skeleton = (root: string): void => {
  for (const directory of DIRECTORIES.split(' ')) mkdirSync(join(root, directory), { recursive: true });
  for (const top of ['bin', 'sbin', 'lib', 'lib64']) link(root, top, `usr/${top}`);
  mkdirSync(join(root, 'usr/lib64'), { recursive: true });
  for (const path of ['tmp', 'var/tmp']) {
    mkdirSync(join(root, path), { recursive: true });
    chmodSync(join(root, path), 0o1777);
  }
  chmodSync(join(root, 'root'), 0o700);
  link(root, 'var/run', '/run');
  for (const [path, text] of Object.entries(TEXTS)) put(root, path, text);
  chmodSync(join(root, 'etc/shadow'), 0o600);
};

/** BusyBox as every applet that no real program of the recipe has. */
const placeBusybox = (tree: string, root: string): void => {
  const source = ['bin/busybox', 'usr/bin/busybox'].map((p) => join(tree, p)).find((p) => existsSync(p));
  if (!source) throw new Error('busybox-static was not unpacked');
  const target = join(root, 'usr/bin/busybox');
  cpSync(source, target);
  const applets = execFileSync(target, ['--list'], { encoding: 'utf8' }).trim().split('\n');
  for (const applet of applets) {
    const taken = ['usr/bin', 'usr/sbin'].some((directory) => exists(join(root, directory, applet)));
    if (!taken) link(root, `usr/bin/${applet}`, 'busybox');
  }
};

/** A fresh key and its certificate for `localhost`, valid ten years; kept in `cache`, so rebuilt images stay equal. */
const placeCertificate = (tree: string, root: string, cache: string): void => {
  const [key, certificate] = [join(cache, 'tls.key'), join(cache, 'tls.crt')];
  if (!existsSync(key) || !existsSync(certificate)) {
    const names = [
      '-subj',
      '/CN=localhost',
      '-addext',
      'subjectAltName=DNS:localhost,DNS:nginx,IP:127.0.0.1',
    ];
    const kind = [
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '3650',
    ];
    const config = ['-config', join(tree, 'etc/ssl/openssl.cnf')];
    runUnpacked(tree, 'usr/bin/openssl', [
      'req',
      ...config,
      ...kind,
      ...names,
      '-keyout',
      key,
      '-out',
      certificate,
    ]);
  }
  put(root, 'etc/nginx/tls.key', readFileSync(key, 'utf8'));
  put(root, 'etc/nginx/tls.crt', readFileSync(certificate, 'utf8'));
  chmodSync(join(root, 'etc/nginx/tls.key'), 0o600);
};

/** Debian 13 has moved /bin and /sbin below /usr; recipes write Debian 12's paths. */
const inTree = (tree: string, path: string): string => (existsSync(join(tree, path)) ? path : `usr/${path}`);

export const layRoot = (recipe: Recipe, tree: string, root: string, cache: string): void => {
  rmSync(root, { recursive: true, force: true });
  skeleton(root);
  placePrograms(
    tree,
    recipe.programs.map((p) => inTree(tree, p)),
    root,
  );
  for (const directory of recipe.directories) mkdirSync(join(root, directory), { recursive: true });
  for (const file of recipe.files) put(root, file, readFileSync(join(tree, file), 'utf8'));
  for (const [path, text] of Object.entries(recipe.texts)) put(root, path, text);
  for (const [path, target] of Object.entries(recipe.links)) link(root, path, target);
  if (recipe.certificate) placeCertificate(tree, root, cache);
  placeBusybox(tree, root);
};
