/** Query parameters, read as moby's form functions read them. */
import { attempt, invalid } from '../../errors.js';
import type { TerminalSize } from '../../runtime/contract.js';
import type { Exchange } from '../http/exchange.js';

/** False for `0`, `no`, `false`, `none`, empty and missing; everything else is true. */
export const flag = (exchange: Exchange, name: string, missing = false): boolean => {
  const value = exchange.query.get(name);
  if (value === null) return missing;
  return !['', '0', 'no', 'false', 'none'].includes(value.trim().toLowerCase());
};

export const text = (exchange: Exchange, name: string): string => exchange.query.get(name) ?? '';

const TRUE = ['1', 't', 'T', 'TRUE', 'true', 'True'];
const FALSE = ['', '0', 'f', 'F', 'FALSE', 'false', 'False'];

/** As Go's ParseBool; false where missing or empty. Throws invalid. */
export const parsedBoolean = (exchange: Exchange, name: string): boolean => {
  const value = text(exchange, name);
  if (FALSE.includes(value)) return false;
  if (TRUE.includes(value)) return true;
  throw invalid(`invalid value for ${name}: ${value.slice(0, 100)}`);
};

/** The version of an object that a change was made from. Throws invalid. */
export const version = (exchange: Exchange, what: string): number => {
  const value = text(exchange, 'version');
  if (/^\d{1,15}$/.test(value)) return Number(value);
  throw invalid(
    `invalid ${what} version '${value.slice(0, 100)}': strconv.ParseUint: parsing "${value.slice(0, 100)}": invalid syntax`,
  );
};

/** Undefined where missing or empty. Throws invalid for what is no whole number. */
export const integer = (exchange: Exchange, name: string): number | undefined => {
  const value = text(exchange, name);
  if (value === '') return undefined;
  const number = Number(value);
  if (!/^[+-]?\d{1,18}$/.test(value) || !Number.isSafeInteger(number)) {
    throw invalid(`invalid value for ${name}: parsing "${value.slice(0, 40)}": invalid syntax`);
  }
  return number;
};

/** A terminal's height or width: 32 bits, unsigned. */
const dimension = (exchange: Exchange, name: string, label: string): number => {
  const value = text(exchange, name);
  if (!/^-?\d{1,18}$/.test(value)) {
    throw invalid(`invalid resize ${label} "${value.slice(0, 40)}": invalid syntax`);
  }
  const number = Number(value);
  if (number < 0 || number > 0xffffffff) {
    throw invalid(`invalid resize ${label} "${value}": value out of range`);
  }
  return number;
};

export const terminalSize = (exchange: Exchange): TerminalSize => ({
  rows: dimension(exchange, 'h', 'height'),
  columns: dimension(exchange, 'w', 'width'),
});

/** JSON in a query parameter, as `build` carries maps. Undefined where empty. */
export const jsonParameter = (exchange: Exchange, name: string, label: string): unknown => {
  const value = text(exchange, name);
  if (value === '') return undefined;
  try {
    return JSON.parse(value);
  } catch (cause) {
    throw invalid(`error reading ${label}: invalid JSON`, cause);
  }
};

/** JSON in a header as base64 (either alphabet), as registry credentials come; undefined where it cannot be read. */
export const headerJson = (exchange: Exchange, name: string): unknown => {
  const value = exchange.request.headers[name];
  if (typeof value !== 'string' || value === '') return undefined;
  // moby ignores credentials it cannot read: a pull needs none.
  return attempt(() => JSON.parse(Buffer.from(value, 'base64').toString('utf8')));
};
