/**
 * Whether the API may listen on TCP as it is configured. Whoever reaches it without showing a certificate is root on
 * this machine, so it must be asked for twice: by the address, and by switching off what would ask for the
 * certificate. dockerd 28 waits and warns, and says that it will refuse; we refuse.
 */
import { invalid } from '../errors.js';
import { parseAddress } from '../model/address.js';
import type { DaemonConfig } from './contract.js';
import type { Settings } from './options.js';

const TCP = /^tcp:\/\/(.*):(\d+)$/;

const addressOf = (host: string): string => (TCP.exec(host)?.[1] ?? '').replace(/^\[|\]$/g, '');

const onLoopback = (address: string): boolean => {
  if (address === 'localhost') return true;
  const parsed = parseAddress(address);
  return parsed?.family === 4 ? address.startsWith('127.') : address === '::1';
};

/** Ports of `tcp://` addresses, which no container may reach. */
export const tcpPorts = (hosts: readonly string[]): readonly number[] => [
  ...new Set(hosts.flatMap((host) => TCP.exec(host)?.[2] ?? []).map(Number)),
];

/** What they will be bound to; a host's name is left out, as only the system knows its addresses. */
export const tcpAddresses = (
  hosts: readonly string[],
): readonly { readonly address: string; readonly port: number }[] =>
  hosts.flatMap((host) => {
    const address = addressOf(host) === 'localhost' ? '127.0.0.1' : addressOf(host);
    return tcpPorts([host]).flatMap((port) => (port > 0 && parseAddress(address) ? [{ address, port }] : []));
  });

/** Answers what to warn of. Throws invalid for an open address that was asked for once only. */
export const checkTcp = (settings: Settings, { hosts, tls }: DaemonConfig): readonly string[] => {
  const tcp = hosts.filter((host) => TCP.test(host));
  const zero = tcp.find((host) => tcpPorts([host]).includes(0) && !onLoopback(addressOf(host)));
  if (zero !== undefined) throw invalid(`invalid host ${zero}: name the port, which is closed to containers`);
  if (tls?.verify === true) return [];
  const switchedOff = settings.tls === false || settings.tlsVerify === false;
  for (const host of tcp) {
    if (onLoopback(addressOf(host)) || switchedOff) continue;
    throw invalid(
      `${host} without client certificates would give root on this machine to everyone who reaches it: ` +
        'use --tlsverify with --tlscacert, --tlscert and --tlskey, or say --tls=false if that is what you want',
    );
  }
  return tcp.map(
    (host) =>
      `the API at ${host} asks for no client certificate: whoever reaches that address, also a page in a browser on it, is root on this machine`,
  );
};
