/**
 * Whose addresses a container may send with, beside its own (ADR 14): what its sandbox and one endpoint's driver options
 * say of it. Pure.
 */
import { invalid } from '../errors.js';
import {
  contains,
  formatAddress,
  formatPrefix,
  masked,
  type Prefix,
  parseAddress,
  parsePrefix,
  shown,
  width,
} from '../model/address.js';
import type { Endpoint, Sandbox } from '../model/endpoint.js';
import { booleanOption } from './options.js';

/** Further addresses and prefixes that the endpoint carries, with commas between them. */
export const ADDRESSES = 'viaduct.endpoint.addresses';
/** Whether it forwards others' packets. */
export const FORWARDING = 'viaduct.endpoint.forwarding';

type Options = Readonly<Record<string, string>>;

/** Characters, and addresses: each is an element that the kernel copies with every change of their set. */
const LONGEST = 4096;
const MOST = 64;

const prefixOf = (text: string): Prefix => {
  const address = parseAddress(text);
  const prefix = address ? { ...address, bits: width(address.family) } : parsePrefix(text);
  if (prefix === undefined)
    throw invalid(
      `invalid endpoint settings:\n${ADDRESSES}: ${shown(text)} is neither an address nor a prefix`,
    );
  if (masked(prefix).value !== prefix.value)
    throw invalid(
      `invalid endpoint settings:\n${ADDRESSES}: ${shown(text)} has host bits: it should be ${formatPrefix(masked(prefix))}`,
    );
  return prefix;
};

const textOf = (prefix: Prefix): string =>
  prefix.bits === width(prefix.family) ? formatAddress(prefix) : formatPrefix(prefix);

/** In canonical text, none within another: the kernel takes no elements that overlap. Throws invalid. */
export const carriedAddresses = (options: Options): readonly string[] => {
  const text = options[ADDRESSES] ?? '';
  const words = text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '');
  if (text.length > LONGEST || words.length > MOST)
    throw invalid(`invalid endpoint settings:\n${ADDRESSES}: more than ${MOST} addresses`);
  const widest = words.map(prefixOf).sort((a, b) => a.bits - b.bits);
  const kept: Prefix[] = [];
  for (const prefix of widest)
    if (!kept.some((other) => other.family === prefix.family && contains(other, prefix))) kept.push(prefix);
  return kept.map(textOf).sort();
};

const asked = (options: Options): boolean | undefined => {
  const value = options[FORWARDING];
  return value === undefined ? undefined : booleanOption(FORWARDING, value);
};

/** Throws invalid. */
export const checkSender = (options: Options): void => {
  carriedAddresses(options);
  asked(options);
};

/**
 * May it send packets with others' addresses, as a router does? Who asks for forwarding by `--sysctl` says that it is one. A
 * privileged container can do to the host whatever it likes: to refuse it this protects nobody. The option decides for one
 * endpoint, either way.
 */
export const forwards = (
  { driverOptions }: Pick<Endpoint, 'driverOptions'>,
  { sysctls, privileged }: Pick<Sandbox, 'sysctls' | 'privileged'>,
): boolean =>
  asked(driverOptions) ??
  (privileged === true ||
    sysctls['net.ipv4.ip_forward'] === '1' ||
    sysctls['net.ipv6.conf.all.forwarding'] === '1');
