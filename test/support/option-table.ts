/** The settings of `viaductd` as the guide's tables, made from the one table in src/config/options.ts. */
import type { Option } from '../../src/config/kinds.js';
import { ALL_OPTIONS, type OptionName } from '../../src/config/options.js';
import { RELOADABLE } from '../../src/config/reload.js';

const flagOf = ({ flag, short, kind }: Option<unknown>): string => {
  if (flag === '') return '';
  const letter = short === '' ? '' : `\`-${short}\`, `;
  return `${letter}\`--${flag}${kind.word === '' ? '' : ` ${kind.word}`}\``;
};

const all = (kind: Option<unknown>['stance']['kind']): readonly (readonly [OptionName, Option<unknown>])[] =>
  [...ALL_OPTIONS].filter(([, { stance }]) => stance.kind === kind);

const named = ({ flag, key }: Option<unknown>): string => (flag === '' ? `\`"${key}"\`` : `\`--${flag}\``);

/** What they have in common is said once. */
const byReason = (kind: 'ignored' | 'refused'): string => {
  const reasons = new Map<string, string[]>();
  for (const [, option] of all(kind)) {
    const why = option.stance.kind === 'obeyed' ? '' : option.stance.why;
    reasons.set(why, [...(reasons.get(why) ?? []), named(option)]);
  }
  return [...reasons].map(([why, names]) => `| ${names.join(', ')} | ${why} |`).join('\n');
};

export const optionTables = (): string => {
  const reloadable: ReadonlySet<string> = new Set(RELOADABLE);
  const rows = all('obeyed').map(
    ([name, option]) =>
      `| ${flagOf(option)} | \`${option.key}\` | ${option.help} | ${reloadable.has(name) || reloadable.has(`${name}s`) ? '✓' : ''} |`,
  );
  return `| flag | key in daemon.json | meaning | reload |
|---|---|---|---|
${rows.join('\n')}

\`--config-file\`, \`--validate\`, \`--version\` and \`--help\` are flags only.

Accepted with a warning, because nothing you get depends on them here:

| setting | why |
|---|---|
${byReason('ignored')}

Refused where they would change what you get; values that ask for what happens anyway are accepted:

| setting | why |
|---|---|
${byReason('refused')}`;
};
