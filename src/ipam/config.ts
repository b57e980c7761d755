/** What a user may write in `IPAM.Config`, checked as Docker checks it: every mistake in one message. Pure. */
import { defined } from '../defined.js';
import { invalid } from '../errors.js';
import type { Family, IpamConfig } from '../model/network.js';
import {
  type Address,
  contains,
  formatAddress,
  formatPrefix,
  masked,
  overlaps,
  type Prefix,
  parseAddress,
  parsePrefix,
  shown,
} from './address.js';

/** One entry, understood. */
export interface SubnetRequest {
  readonly subnet: Prefix;
  readonly range?: Prefix;
  readonly gateway?: Address;
  readonly auxiliary: readonly (readonly [name: string, address: Address])[];
}

/** Several messages as moby joins them: one alone stands as it is, more become a list. */
export const joined = (messages: readonly string[]): string =>
  messages.length === 1 ? (messages[0] ?? '') : messages.map((m) => `* ${m}`).join('\n');

const samePrefix = (a: Prefix, b: Prefix): boolean => a.value === b.value;

const rangeProblems = (range: Prefix, subnet: Prefix): string[] => {
  const text = formatPrefix(range);
  if (range.family !== subnet.family)
    return [`invalid ip-range ${text}: parent subnet is an IPv${subnet.family} block`];
  const problems: string[] = [];
  if (range.bits < subnet.bits)
    problems.push(
      `invalid ip-range ${text}: CIDR block is bigger than its parent subnet ${formatPrefix(subnet)}`,
    );
  if (!samePrefix(range, masked(range)))
    problems.push(`invalid ip-range ${text}: it should be ${formatPrefix(masked(range))}`);
  if (!overlaps(subnet, range))
    problems.push(`invalid ip-range ${text}: parent subnet ${formatPrefix(subnet)} doesn't contain ip-range`);
  return problems;
};

const addressProblem = (address: Address, subnet: Prefix): string | undefined => {
  if (address.family !== subnet.family) return `parent subnet is an IPv${subnet.family} block`;
  if (!contains(subnet, address)) return `parent subnet ${formatPrefix(subnet)} doesn't contain this address`;
  return undefined;
};

/** Parses; where the text is none, reports and answers undefined. */
const parsed = <T>(
  text: string | undefined,
  parse: (text: string) => T | undefined,
  report: (text: string) => void,
): T | undefined => {
  if (!text) return undefined;
  const value = parse(text);
  if (value === undefined) report(shown(text));
  return value;
};

class Entry {
  readonly problems: string[] = [];

  /** The entry understood, or undefined where it names nothing or has no subnet to hang on. */
  read(config: IpamConfig): SubnetRequest | undefined {
    const subnet = parsed(config.subnet, parsePrefix, (text) =>
      this.problems.push(`invalid subnet ${text}: invalid CIDR block notation`),
    );
    const range = parsed(config.range, parsePrefix, (text) =>
      this.problems.push(`invalid ip-range ${text}: invalid CIDR block notation`),
    );
    const gateway = parsed(config.gateway, parseAddress, (text) =>
      this.problems.push(`invalid gateway ${text}: invalid address`),
    );
    const auxiliary = this.#auxiliary(config.auxiliary ?? {});
    if (!subnet) {
      if (range || gateway || auxiliary.length > 0)
        this.problems.push('every ip-range, gateway or auxiliary address must have a corresponding subnet');
      return undefined;
    }
    return { subnet, auxiliary, ...defined({ range, gateway }) };
  }

  #auxiliary(texts: Readonly<Record<string, string>>): (readonly [string, Address])[] {
    const out: (readonly [string, Address])[] = [];
    for (const [name, text] of Object.entries(texts)) {
      const address = parsed(text, parseAddress, () =>
        this.problems.push(`invalid auxiliary address ${shown(name)}: invalid address`),
      );
      if (address) out.push([name, address]);
    }
    return out;
  }

  check({ subnet, range, gateway, auxiliary }: SubnetRequest): void {
    if (!samePrefix(subnet, masked(subnet)))
      this.problems.push(
        `invalid subnet ${formatPrefix(subnet)}: it should be ${formatPrefix(masked(subnet))}`,
      );
    if (range) this.problems.push(...rangeProblems(range, subnet));
    const wrong = gateway && addressProblem(gateway, subnet);
    if (gateway && wrong) this.problems.push(`invalid gateway ${formatAddress(gateway)}: ${wrong}`);
    for (const [name, address] of auxiliary) {
      const problem = addressProblem(address, subnet);
      if (problem) this.problems.push(`invalid auxiliary address ${shown(name)}: ${problem}`);
    }
  }
}

/**
 * The entries of the families that are on, IPv4 first. IPv6 entries of a network without IPv6 are ignored, as Docker
 * does. Throws invalid with `invalid network config:` and every problem.
 */
export const readConfig = (
  config: readonly IpamConfig[],
  on: Readonly<Record<Family, boolean>>,
): readonly SubnetRequest[] => {
  const entry = new Entry();
  const requests: SubnetRequest[] = [];
  for (const item of config) {
    const request = entry.read(item);
    if (!request || (request.subnet.family === 6 && !on[6])) continue;
    entry.check(request);
    requests.push(request);
  }
  if (entry.problems.length > 0) throw invalid(`invalid network config:\n${joined(entry.problems)}`);
  return requests.filter((r) => on[r.subnet.family]).sort((a, b) => a.subnet.family - b.subnet.family);
};
