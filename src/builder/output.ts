/** The classic builder's lines, as clients of the build endpoint read them. Pure. */

export type Line = Readonly<Record<string, unknown>>;

export const out = (text: string): Line => ({ stream: text });

/** What a RUN writes to its standard error is red. */
export const err = (text: string): Line => ({ stream: `\u001b[91m${text}\u001b[0m` });

const short = (id: string): string => id.replace(/^sha256:/, '').slice(0, 12);

/** In two lines, as Docker sends them. */
export const stepLines = (number: number, of: number, code: string): readonly Line[] => [
  out(`Step ${number}/${of} : ${code}`),
  out('\n'),
];

/** Empty: nothing yet, as after `FROM scratch`. */
export const imageLine = (id: string): Line => out(` ---> ${short(id)}\n`);

export const usingCache = out(' ---> Using cache\n');

export const runningIn = (containerId: string): Line => out(` ---> Running in ${short(containerId)}\n`);

export const removed = (containerId: string): Line =>
  out(` ---> Removed intermediate container ${short(containerId)}\n`);

export const warning = (text: string): Line => out(` ---> [Warning] ${text}\n`);

export const triggers = (count: number): Line =>
  out(`# Executing ${count} build trigger${count === 1 ? '' : 's'}\n`);

export const resultLine = (id: string): Line => ({ aux: { ID: id } });

export const endLines = (id: string, tags: readonly string[]): readonly Line[] => [
  out(`Successfully built ${short(id)}\n`),
  ...tags.map((tag) => out(`Successfully tagged ${tag}\n`)),
];

export const unusedLine = (args: readonly string[]): Line =>
  out(`[Warning] One or more build-args [${args.join(' ')}] were not consumed\n`);

/** Of continuation lines that are empty. */
export const parserWarnings = (warnings: readonly string[]): readonly Line[] =>
  warnings.length === 0
    ? []
    : [
        ...warnings.map((text) => err(`[WARNING]: ${text}\n`)),
        err('[WARNING]: Empty continuation lines will become errors in a future release.\n'),
      ];
