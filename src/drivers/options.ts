/** Reading driver options as moby reads them: Go's spellings of booleans and numbers, one form of message. Pure. */
import { defined } from '../defined.js';
import { invalid, type ViaductError } from '../errors.js';
import { familyOf, formatAddress, parseAddress, shown } from '../model/address.js';
import type { Family } from '../model/network.js';

type Options = Readonly<Record<string, string>>;

const TRUE: readonly string[] = ['1', 't', 'T', 'TRUE', 'true', 'True'];
const FALSE: readonly string[] = ['0', 'f', 'F', 'FALSE', 'false', 'False'];

/** moby's answer to an option value that is none. */
export const unreadable = (label: string, value: string, reason: string): ViaductError =>
  invalid(`failed to parse ${label} value: ${shown(value)} (${reason})`);

export const isTrue = (value: string | undefined): boolean => value !== undefined && TRUE.includes(value);

export const isFalse = (value: string): boolean => FALSE.includes(value);

/** Go's strconv.ParseBool. Throws invalid. */
export const booleanOption = (label: string, value: string): boolean => {
  if (isTrue(value)) return true;
  if (isFalse(value)) return false;
  throw unreadable(
    label,
    value,
    `strconv.ParseBool: parsing ${JSON.stringify(shown(value))}: invalid syntax`,
  );
};

const INTEGER = /^[+-]?[0-9]{1,15}$/;

/** Go's strconv.Atoi, to 15 digits. Throws invalid. */
export const integerOption = (label: string, value: string): number => {
  if (value.length > 16 || !INTEGER.test(value))
    throw unreadable(label, value, `strconv.Atoi: parsing ${JSON.stringify(shown(value))}: invalid syntax`);
  return Number(value);
};

/** The option of every driver that makes interfaces. */
export const MTU = 'com.docker.network.driver.mtu';

/** The kernel's bounds for an interface (ETH_MIN_MTU, ETH_MAX_MTU). */
const MIN_MTU = 68;
const MAX_MTU = 65535;

/** Bytes; 0: not given. Throws invalid. */
export const mtuOption = (options: Options): number => {
  const value = options[MTU];
  if (value === undefined) return 0;
  const number = integerOption(MTU, value);
  if (number !== 0 && (number < MIN_MTU || number > MAX_MTU)) throw invalid(`invalid MTU number: ${number}`);
  return number;
};

const INTERFACE_NAME = /^[^\s/:%]{1,15}$/;

/** What the kernel takes for an interface's name (IFNAMSIZ: 15 bytes; no `/`, `:`, white space; `%` is a template). */
export const isInterfaceName = (name: string): boolean =>
  name.length <= 15 &&
  Buffer.byteLength(name) <= 15 &&
  INTERFACE_NAME.test(name) &&
  name !== '.' &&
  name !== '..' &&
  // Directories of /proc/sys/net/…/conf that are of no interface.
  name !== 'all' &&
  name !== 'default' &&
  !/\p{Cc}/u.test(name);

/** One of the words that a driver has for its mode, say; the first where none is given. Throws invalid in moby's text. */
export const wordOption = <T extends string>(
  driver: string,
  what: 'mode' | 'flag',
  words: readonly T[],
  options: Options,
): T => {
  const asked = options[`${driver}_${what}`] || words[0];
  const word = words.find((known) => known === asked);
  if (word) return word;
  const usual = what === 'mode' ? `'${words[0]}' mode` : `'${words[0]}'`;
  throw invalid(
    `requested ${driver} ${what} '${shown(asked ?? '')}' is not valid, ${usual} is the ${driver} driver default`,
  );
};

/** In canonical text; undefined: not given. Throws invalid. */
export const addressOption = (options: Options, label: string): string | undefined => {
  const value = options[label];
  if (value === undefined) return undefined;
  const parsed = parseAddress(value);
  if (!parsed) throw unreadable(label, value, 'nil ip');
  return formatAddress(parsed);
};

export const SNAT = { 4: 'com.docker.network.host_ipv4', 6: 'com.docker.network.host_ipv6' } as const;

const sourceOption = (options: Options, family: Family): string | undefined => {
  const text = addressOption(options, SNAT[family]);
  if (text !== undefined && familyOf(text) !== family)
    throw unreadable(SNAT[family], text, `not an IPv${family} address`);
  return text;
};

/** The addresses of the host's with which containers are to leave. Throws invalid. */
export const sourceOptions = (options: Options): Readonly<Partial<Record<Family, string>>> =>
  defined({ 4: sourceOption(options, 4), 6: sourceOption(options, 6) });

export const INTERFACE_PREFIX = 'com.docker.network.container_iface_prefix';

/** What the names of interfaces in sandboxes begin with: it leaves room for the number. Throws invalid. */
export const checkInterfacePrefix = (options: Options): void => {
  const prefix = options[INTERFACE_PREFIX];
  if (prefix && !isInterfaceName(`${prefix}000`))
    throw unreadable(INTERFACE_PREFIX, prefix, 'invalid interface name');
};
