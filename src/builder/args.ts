/**
 * Build arguments: what `--build-arg` gave, which of them the Dockerfile has declared, and what a step may see. Pure.
 * The proxies need no declaration; undeclared, they are seen by RUN but leave no trace in the image.
 */

const PROXIES = ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'].flatMap((name) => [
  name,
  name.toLowerCase(),
]);

type Values = ReadonlyMap<string, string | undefined>;

export interface Args {
  /** `null`: named on the command line, without a value in the client's environment */
  readonly given: Readonly<Record<string, string | null>>;
  /** declared before the first FROM */
  readonly global: Values;
  /** declared in this stage so far */
  readonly declared: Values;
}

export const noArgs = (given: Args['given']): Args => ({ given, global: new Map(), declared: new Map() });

const declare = (known: Values, key: string, value: string | undefined): Values =>
  new Map([...known, [key, value]]);

export const declareGlobal = (args: Args, key: string, value: string | undefined): Args => ({
  ...args,
  global: declare(args.global, key, value),
});

export const declareArg = (args: Args, key: string, value: string | undefined): Args => ({
  ...args,
  declared: declare(args.declared, key, value),
});

/** A stage begins with nothing declared. */
export const forStage = (args: Args): Args => ({ ...args, declared: new Map() });

/** The command line's value, else the declaration's, else the one from before the first FROM. */
const valueFor = (args: Args, key: string, declared: Values): string | undefined =>
  (Object.hasOwn(args.given, key) ? args.given[key] : null) ?? declared.get(key) ?? args.global.get(key);

const values = (args: Args, declared: Values): readonly (readonly [string, string])[] =>
  [...new Set([...declared.keys(), ...PROXIES])].flatMap((key) => {
    const value = valueFor(args, key, declared);
    // an undeclared proxy comes from the command line alone
    return value === undefined || (!declared.has(key) && args.given[key] == null) ? [] : [[key, value]];
  });

const asText = ([key, value]: readonly [string, string]): string => `${key}=${value}`;

/** What FROM may use. */
export const globalVariables = (args: Args): readonly string[] => values(args, args.global).map(asText);

/** `KEY=value` that a step sees beside the image's own environment, which wins. */
export const stepVariables = (args: Args, env: readonly string[]): readonly string[] => {
  const own = new Set(env.map((text) => text.split('=', 1)[0]));
  return values(args, args.declared)
    .filter(([key]) => !own.has(key))
    .map(asText);
};

/** Those of them that belong to the step's identity: undeclared proxies do not. */
export const tracedVariables = (args: Args, variables: readonly string[]): readonly string[] =>
  variables
    .filter((text) => {
      const key = text.split('=', 1)[0] ?? '';
      return args.declared.has(key) || !PROXIES.includes(key);
    })
    .sort();

/** Given and never declared anywhere; `declared`: by any stage. */
export const unused = (given: Args['given'], declared: ReadonlySet<string>): readonly string[] =>
  Object.keys(given)
    .filter((key) => !declared.has(key) && !PROXIES.includes(key))
    .sort();
