/**
 * Where the daemon's time went: self and total time by function of the CPU profiles that `npm run bench -- --profile DIR`
 * wrote. `npx tsx bench/profile.ts FILE.cpuprofile… [--top N] [--under FUNCTION]`
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { Command } from 'commander';
import { z } from 'zod';

const profileShape = z.object({
  nodes: z.array(
    z.object({
      id: z.number(),
      callFrame: z.object({ functionName: z.string(), url: z.string(), lineNumber: z.number() }),
      children: z.array(z.number()).optional(),
    }),
  ),
  samples: z.array(z.number()),
  timeDeltas: z.array(z.number()),
});
type Profile = z.infer<typeof profileShape>;
type Node = Profile['nodes'][number];

const label = ({ callFrame: { functionName, url, lineNumber } }: Node): string => {
  const place = url.replace(/^file:\/\//, '').replace(/^.*\/(dist|src|node_modules)\//, '$1/');
  return `${functionName || '(anonymous)'}${place === '' ? '' : `  ${place}:${lineNumber + 1}`}`;
};

interface Times {
  self: number;
  total: number;
}

/** Milliseconds by function; recursion counts once. With `under`, only below functions of that name. */
const timesOf = (profile: Profile, under: string): Map<string, Times> => {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map(
    profile.nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id])),
  );
  const self = new Map<number, number>();
  profile.samples.forEach((id, i) => {
    self.set(id, (self.get(id) ?? 0) + (profile.timeDeltas[i] ?? 0) / 1000);
  });
  const times = new Map<string, Times>();
  const entry = (name: string): Times => {
    const known = times.get(name) ?? { self: 0, total: 0 };
    times.set(name, known);
    return known;
  };
  for (const [id, ms] of self) {
    const path: Node[] = [];
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const node = nodes.get(at);
      if (node) path.push(node);
    }
    const from = under === '' ? path.length : path.findIndex((n) => n.callFrame.functionName === under) + 1;
    const [leaf] = path;
    if (from === 0 || !leaf) continue;
    entry(label(leaf)).self += ms;
    for (const name of new Set(path.slice(0, from).map(label))) entry(name).total += ms;
  }
  return times;
};

const print = (title: string, times: Map<string, Times>, by: keyof Times, top: number): void => {
  process.stdout.write(`\n${title}\n`);
  for (const [name, value] of [...times].sort(([, a], [, b]) => b[by] - a[by]).slice(0, top))
    process.stdout.write(`${value[by].toFixed(1).padStart(9)} ms  ${name}\n`);
};

const command = new Command('profile')
  .argument('<files...>')
  .option('--top <n>', 'functions shown', '40')
  .option('--under <function>', 'only time spent below it', '')
  .parse();
const { top, under } = command.opts<{ top: string; under: string }>();
for (const file of command.args) {
  const times = timesOf(profileShape.parse(JSON.parse(readFileSync(file, 'utf8'))), under);
  print(`${basename(file)}: total`, times, 'total', Number(top));
  print(`${basename(file)}: self`, times, 'self', Number(top));
}
