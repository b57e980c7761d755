/** `nft_data`: a value, or a verdict. */
import { internal } from '../../errors.js';
import { attr, attrStr, attrText, attrU32be, nested, parseAttributes } from '../netlink.js';
import { NFTA_DATA, NFTA_VERDICT, VERDICT } from './constants.js';

export const valueData = (type: number, value: Buffer): Buffer => nested(type, attr(NFTA_DATA.VALUE, value));

type VerdictName = keyof typeof VERDICT;
const isVerdict = (name: string): name is VerdictName => Object.hasOwn(VERDICT, name);

/** `accept`, `drop`, `return`, `jump CHAIN` or `goto CHAIN`. */
export const verdictData = (type: number, text: string): Buffer => {
  const [name = '', chain] = text.split(' ', 2);
  if (!isVerdict(name) || (name === 'jump' || name === 'goto') !== (chain !== undefined))
    throw internal(`not a verdict: ${JSON.stringify(text.slice(0, 64))}`);
  return nested(
    type,
    nested(
      NFTA_DATA.VERDICT,
      attrU32be(NFTA_VERDICT.CODE, VERDICT[name]),
      ...(chain === undefined ? [] : [attrStr(NFTA_VERDICT.CHAIN, chain)]),
    ),
  );
};

/** The text of the attributes inside NFTA_DATA_VERDICT. */
export const verdictText = (verdict: Buffer): string => {
  const parts = parseAttributes(verdict);
  const code = parts.get(NFTA_VERDICT.CODE)?.readUInt32BE(0);
  const name = Object.entries(VERDICT).find(([, number]) => number === code)?.[0] ?? String(code);
  const chain = parts.get(NFTA_VERDICT.CHAIN);
  return chain ? `${name} ${attrText(chain)}` : name;
};
