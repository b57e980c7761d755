/** Addresses and CIDRs as users write them: those of the model, and readers that throw `invalid` instead of answering nothing. */
import { invalid } from '../errors.js';
import {
  type Address,
  formatAddress,
  formatPrefix,
  type Prefix,
  parseAddress,
  parsePrefix,
  shown,
} from '../model/address.js';

export * from '../model/address.js';

/** Like `parseAddress`; throws invalid. */
export const addressOf = (text: string): Address => {
  const address = parseAddress(text);
  if (!address) throw invalid(`invalid IP address: ${shown(text)}`);
  return address;
};

/** Like `parsePrefix`; throws invalid. */
export const prefixOf = (text: string): Prefix => {
  const prefix = parsePrefix(text);
  if (!prefix) throw invalid(`invalid CIDR address: ${shown(text)}`);
  return prefix;
};

/** Canonical text of an address or CIDR in any accepted spelling; throws invalid. */
export const canonical = (text: string): string =>
  text.includes('/') ? formatPrefix(prefixOf(text)) : formatAddress(addressOf(text));
