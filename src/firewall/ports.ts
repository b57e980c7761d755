/** The rules of one port's chain: the declaration's, with the element's values in them. */
import { NO_VALUE, type PortChains, type Rule, type Statement } from './language.js';

/** The statement with values for names; undefined where one of them has none. */
const filled = (statement: Statement, textOf: (text: string) => string): Statement | undefined => {
  if (statement.is === 'match') {
    const value = textOf(statement.value);
    if (value === NO_VALUE) return undefined;
    return value === statement.value ? statement : { ...statement, value };
  }
  return statement.is === 'goto' ? { ...statement, chain: textOf(statement.chain) } : statement;
};

/** `data`: one text a field of `ports.data`. */
export const portRules = (ports: PortChains, data: readonly string[]): readonly Rule[] => {
  const values = new Map(ports.data.map((name, i) => [`$${name}`, data[i] ?? NO_VALUE]));
  return ports.rules.flatMap(({ comment, statements }) => {
    const found = statements.map((statement) => filled(statement, (text) => values.get(text) ?? text));
    return found.every((each) => each !== undefined) ? [{ comment, statements: found }] : [];
  });
};
