/** What each test image is made of: plain data, so that adding a program is adding a word. */
import type { RecipeConfig } from './archive.js';

export interface Recipe {
  /** references under which the image is loaded */
  readonly names: readonly string[];
  /** Debian packages that bring the programs */
  readonly packages: readonly string[];
  /** programs taken from them, as paths below the root */
  readonly programs: readonly string[];
  /** further paths copied as they are */
  readonly files: readonly string[];
  /** path in the image → content */
  readonly texts: Readonly<Record<string, string>>;
  /** path in the image → link target */
  readonly links: Readonly<Record<string, string>>;
  /** directories made empty */
  readonly directories: readonly string[];
  /** a self-signed certificate for `localhost` is put at /etc/nginx/tls.{crt,key} */
  readonly certificate: boolean;
  readonly config: RecipeConfig;
}

const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const osRelease = (name: string): string =>
  `NAME="Viaduct test image"\nID=viaduct-test\nPRETTY_NAME="Viaduct test image (${name}) from Debian packages"\n`;

const plain = { files: [], links: {}, directories: [], certificate: false } as const;

const busybox = (name: string, command: string): Recipe => ({
  ...plain,
  names: [`${name}:latest`],
  packages: ['busybox-static'],
  programs: [],
  texts: { 'etc/os-release': osRelease(name) },
  config: { Cmd: [command], Env: [PATH] },
});

const NGINX_CONF = `user www-data;
worker_processes 1;
pid /run/nginx.pid;
error_log /dev/stderr notice;
events { worker_connections 1024; }
http {
  include mime.types;
  default_type application/octet-stream;
  access_log /dev/stdout;
  sendfile on;
  keepalive_timeout 65;
  include conf.d/*.conf;
}
`;

const NGINX_SITE = `server {
  listen 80;
  listen [::]:80;
  listen 443 ssl;
  listen [::]:443 ssl;
  server_name localhost;
  ssl_certificate /etc/nginx/tls.crt;
  ssl_certificate_key /etc/nginx/tls.key;
  location / {
    root /usr/share/nginx/html;
    index index.html index.htm;
  }
}
`;

const NGINX_PAGE = `<!DOCTYPE html>
<html>
<head>
<title>Welcome to nginx!</title>
</head>
<body>
<h1>Welcome to nginx!</h1>
<p>This page is served by Debian's nginx in one of Viaduct's test images.</p>
</body>
</html>
`;

const nginx: Recipe = {
  names: ['nginx:latest'],
  packages: ['busybox-static', 'nginx', 'nginx-common', 'openssl'],
  programs: ['usr/sbin/nginx'],
  files: ['etc/nginx/mime.types'],
  texts: {
    'etc/os-release': osRelease('nginx'),
    'etc/nginx/nginx.conf': NGINX_CONF,
    'etc/nginx/conf.d/default.conf': NGINX_SITE,
    'usr/share/nginx/html/index.html': NGINX_PAGE,
  },
  links: { 'usr/share/nginx/modules': '/usr/lib/nginx/modules' },
  directories: ['var/lib/nginx', 'var/log/nginx', 'usr/lib/nginx/modules'],
  certificate: true,
  config: {
    Cmd: ['nginx', '-g', 'daemon off;'],
    Env: [PATH],
    ExposedPorts: { '80/tcp': {}, '443/tcp': {} },
    StopSignal: 'SIGQUIT',
  },
};

const nettools: Recipe = {
  ...plain,
  names: ['nettools:latest'],
  packages: [
    'bash',
    'busybox-static',
    'curl',
    'iproute2',
    'iputils-ping',
    'knot-dnsutils',
    'libcrypt1', // perl's, which it names in Pre-Depends
    'netcat-openbsd',
    'perl-base',
    'socat',
    'tcpdump',
  ],
  programs: [
    'bin/bash',
    'usr/bin/curl',
    'sbin/ip',
    'bin/ss',
    'sbin/bridge',
    'bin/ping',
    'usr/bin/kdig',
    'bin/nc.openbsd',
    'usr/bin/perl',
    'usr/bin/socat',
    'usr/bin/tcpdump',
  ],
  texts: { 'etc/os-release': osRelease('nettools') },
  // kdig takes dig's command line; dig itself would bring 40 MB of libraries. BusyBox's sh prefers its own applets
  // (`ip`) to the programs here, so sh is bash.
  links: { 'usr/bin/dig': 'kdig', 'usr/bin/nc': 'nc.openbsd', 'usr/bin/sh': 'bash' },
  config: { Cmd: ['/bin/bash'], Env: [PATH] },
};

export const RECIPES: Readonly<Record<string, Recipe>> = {
  busybox: busybox('busybox', 'sh'),
  alpine: busybox('alpine', '/bin/sh'),
  nginx,
  nettools,
};
