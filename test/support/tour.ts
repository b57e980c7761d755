/**
 * A tour (the README's, that of several hosts) as data: its `console` blocks, each a list of commands with the output shown beneath. What differs from
 * run to run (ids, times, addresses that were free) is made equal before outputs are compared.
 */
export interface Step {
  /** the word in front of the prompt; `host` where there is none */
  readonly where: string;
  readonly command: string;
  /** as shown, without the last line end */
  readonly output: string;
}

const BLOCK = /```console\n([\s\S]*?)```/g;
const PROMPT = /^([a-z]+\d?)?\$ (.*)$/;
const HERE = 'host';

const stepsOf = (block: string): readonly Step[] => {
  const steps: { where: Step['where']; command: string; output: string[] }[] = [];
  for (const line of block.replace(/\n$/, '').split('\n')) {
    const prompt = PROMPT.exec(line);
    if (prompt) steps.push({ where: prompt[1] ?? HERE, command: prompt[2] ?? '', output: [] });
    else steps.at(-1)?.output.push(line);
  }
  return steps.map((step) => ({ ...step, output: step.output.join('\n') }));
};

export const readTour = (markdown: string): readonly Step[] =>
  [...markdown.matchAll(BLOCK)].flatMap((match) => stepsOf(match[1] ?? ''));

/** The same text with other outputs, in order. */
export const rewriteTour = (markdown: string, outputs: readonly string[]): string => {
  let at = 0;
  return markdown.replace(BLOCK, (_, block: string) => {
    const lines = stepsOf(block).map(({ where, command }) => {
      const output = outputs[at] ?? '';
      at += 1;
      return `${where === HERE ? '' : where}$ ${command}\n${output === '' ? '' : `${output}\n`}`;
    });
    return `\`\`\`console\n${lines.join('')}\`\`\``;
  });
};

/** Docker's clients before 28 (Debian 13 has 26) write the same things a little otherwise. */
const asNewerClients = (output: string): string =>
  output
    .replace(/(^|[ ,]):::(\d)/gm, '$1[::]:$2')
    .replace(/^(docker: Error response from daemon: [\s\S]*)\.$/, '$1')
    .replace(/\nexit status 1$/, '');

export const alike = (output: string): string =>
  asNewerClients(output)
    .replace(/\b(sha256:)?[0-9a-f]{64}\b/g, 'ID')
    .replace(/\b[0-9a-f]{12}\b/g, 'ID')
    .replace(/\b02:42(:[0-9a-f]{2}){4}/g, 'MAC')
    .replace(/\b(172\.\d+\.\d+)\.\d+/g, '$1.N')
    .replace(/=[\d.]+ ms|= [\d./]+ ms/g, '= TIME')
    .replace(/\b(0\.0\.0\.0|\[::\]):327\d\d\b/g, '$1:PORT')
    .replace(/"HostPort":"327\d\d"/g, '"HostPort":"PORT"')
    .replace(/@if\d+/g, '@ifN')
    .replace(/\b[0-9a-z]{25}\b/g, 'ID')
    .replace(/\bSWMTKN-1-[0-9a-z-]+/g, 'TOKEN')
    .replace(/endpoint [a-z]+_[a-z]+ /g, 'endpoint NAME ')
    .replace(/[ \t]+$/gm, '');
