/**
 * A reporter for the end of `npm test`: appends each test that failed, and each that passed only when it was tried
 * again, to the file `VERDICTS` names. The summary prints it, so that the last lines of a long log tell what went wrong.
 */
import { appendFileSync } from 'node:fs';
import type { SerializedError } from 'vitest';
import type { Reporter, TestCase, TestModule } from 'vitest/node';

/** The first lines of a message say what was wanted; a whole log in it would hide the other failures. */
const LONGEST = 1500;

const indented = (text: string): string => text.slice(0, LONGEST).replaceAll('\n', '\n        ');
const reasons = (errors: readonly { message?: string }[]): string =>
  errors.map(({ message = 'no message' }) => `\n        ${indented(message)}`).join('');

const verdictOf = (test: TestCase): string | undefined => {
  const result = test.result();
  const title = `${test.module.project.name} ${test.module.relativeModuleId}: ${test.fullName}`;
  if (result.state === 'failed') return `FAILED  ${title}${reasons(result.errors)}`;
  if (!test.diagnostic()?.flaky) return undefined;
  return `again   ${title}${reasons(result.errors ?? [])}`;
};

const verdictsOf = (module: TestModule): string[] => [
  ...module.errors().map((error) => `FAILED  ${module.relativeModuleId}${reasons([error])}`),
  ...[...module.children.allSuites()].flatMap((suite) =>
    suite.errors().map((error) => `FAILED  ${module.relativeModuleId}: ${suite.fullName}${reasons([error])}`),
  ),
  ...[...module.children.allTests()].flatMap((test) => verdictOf(test) ?? []),
];

export default class Verdicts implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const file = process.env.VERDICTS;
    if (!file) return;
    const lines = [
      ...modules.flatMap(verdictsOf),
      ...unhandled.map((error) => `FAILED  outside any test${reasons([error])}`),
    ];
    appendFileSync(file, lines.map((line) => `    ${line}\n`).join(''));
  }
}
