/** The texts of /etc/hosts, /etc/hostname and /etc/resolv.conf as Docker writes them; `etc.ts` puts them into files. */
export * from './hosts.js';
export * from './resolv-conf.js';
