/** Placement constraints: `node.labels.zone == north`. What swarm's users write and the words in which they are refused. */
import { contains, parseAddress, parsePrefix } from '../../model/address.js';
import type { Node, NodeDescription, NodeState } from '../../model/swarm/node.js';

export interface Constraint {
  readonly key: string;
  readonly equal: boolean;
  readonly wanted: string;
}

/** What is known of a node, where anything is. */
export interface NodeFacts {
  readonly node: Node;
  readonly state: NodeState | undefined;
}

const KEY = /^[a-z_][a-z0-9\-_.]+$/i;
const VALUE = /^[a-z0-9:\-_\s.*()?+[\]\\^$|/]+$/i;
const OPERATORS = ['==', '!='] as const;

const parseOne = (text: string): Constraint | string => {
  const operator = OPERATORS.find((each) => text.includes(each));
  if (!operator) return `constraint expected one operator from ${OPERATORS.join(', ')}`;
  const at = text.indexOf(operator);
  const [key, wanted] = [text.slice(0, at).trim(), text.slice(at + operator.length).trim()];
  if (!KEY.test(key)) return `key '${key}' is invalid`;
  if (!VALUE.test(wanted)) return `value '${wanted}' is invalid`;
  return { key, equal: operator === '==', wanted };
};

/** The constraints, or what is wrong with the first that is wrong. */
export const parseConstraints = (texts: readonly string[]): readonly Constraint[] | string => {
  const parsed: Constraint[] = [];
  for (const text of texts) {
    const each = parseOne(text);
    if (typeof each === 'string') return each;
    parsed.push(each);
  }
  return parsed;
};

const NODE_LABELS = 'node.labels.';
const ENGINE_LABELS = 'engine.labels.';

/** The label that a key names, of the node or of its engine; undefined: it names none. */
export const labelOf = (key: string, { node, state }: NodeFacts): string | undefined => {
  const lower = key.toLowerCase();
  if (lower.startsWith(NODE_LABELS) && key.length > NODE_LABELS.length)
    return node.labels[key.slice(NODE_LABELS.length)] ?? '';
  if (lower.startsWith(ENGINE_LABELS) && key.length > ENGINE_LABELS.length)
    return state?.description.labels[key.slice(ENGINE_LABELS.length)] ?? '';
  return undefined;
};

const described = (facts: NodeFacts, read: (description: NodeDescription) => string): string =>
  facts.state ? read(facts.state.description) : '';

const PLAIN: Readonly<Record<string, (facts: NodeFacts) => string>> = {
  'node.id': ({ node }) => node.id,
  'node.hostname': (facts) => described(facts, ({ hostname }) => hostname),
  'node.role': ({ node }) => node.role,
  'node.platform.os': (facts) => described(facts, ({ os }) => os),
  'node.platform.arch': (facts) => described(facts, ({ architecture }) => architecture),
};

/** An address or a CIDR; anything else holds of no node, whichever the operator. */
const holdsOfAddress = ({ equal, wanted }: Constraint, text: string): boolean => {
  const [address, one, many] = [parseAddress(text), parseAddress(wanted), parsePrefix(wanted)];
  if (one) return (address?.family === one.family && address.value === one.value) === equal;
  if (many) return (address !== undefined && contains(many, address)) === equal;
  return false;
};

const holds = (constraint: Constraint, facts: NodeFacts): boolean => {
  const key = constraint.key.toLowerCase();
  if (key === 'node.ip') return holdsOfAddress(constraint, facts.state?.address ?? '');
  const found = PLAIN[key]?.(facts) ?? labelOf(constraint.key, facts);
  return (
    found !== undefined && (found.toLowerCase() === constraint.wanted.toLowerCase()) === constraint.equal
  );
};

/** By the list in which they were written: specs are many tasks', and do not change. */
const PARSED = new WeakMap<readonly string[], readonly Constraint[]>();

/** Does the node satisfy them all? What cannot be read was refused when the service was made, and forbids nothing. */
export const satisfies = (texts: readonly string[], facts: NodeFacts): boolean => {
  if (texts.length === 0) return true;
  let constraints = PARSED.get(texts);
  if (!constraints) {
    const parsed = parseConstraints(texts);
    constraints = typeof parsed === 'string' ? [] : parsed;
    PARSED.set(texts, constraints);
  }
  return constraints.every((constraint) => holds(constraint, facts));
};
