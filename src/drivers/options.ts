/** Reading driver options as moby reads them: Go's spellings of booleans and numbers, one form of message. Pure. */
import { invalid, type ViaductError } from '../errors.js';
import { shown } from '../model/address.js';

const TRUE: readonly string[] = ['1', 't', 'T', 'TRUE', 'true', 'True'];
const FALSE: readonly string[] = ['0', 'f', 'F', 'FALSE', 'false', 'False'];

/** moby's answer to an option value that is none. */
export const unreadable = (label: string, value: string, reason: string): ViaductError =>
  invalid(`failed to parse ${label} value: ${shown(value)} (${reason})`);

/** Go's strconv.ParseBool. Throws invalid. */
export const booleanOption = (label: string, value: string): boolean => {
  if (TRUE.includes(value)) return true;
  if (FALSE.includes(value)) return false;
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
export const mtuOption = (options: Readonly<Record<string, string>>): number => {
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
