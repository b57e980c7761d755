/**
 * A reporter for the end of `npm test`: appends each test that failed, with its file, to the file `VERDICTS` names. Files
 * named there run once more (scripts/twice.sh), and the summary prints it, so that the last lines of a long log tell what went wrong.
 */
import { appendFileSync } from 'node:fs';
import type { SerializedError } from 'vitest';
import type { Reporter, TestCase, TestModule } from 'vitest/node';

/** The first lines of a message say what was wanted; a whole log in it would hide the other failures. */
const LONGEST = 1500;

const indented = (text: string): string => text.slice(0, LONGEST).replaceAll('\n', '\n        ');
const reasons = (errors: readonly { message?: string }[]): string =>
  errors.map(({ message = 'no message' }) => `\n        ${indented(message)}`).join('');

const failed = (module: TestModule, what: string, errors: readonly { message?: string }[]): string =>
  `FAILED  ${module.project.name} ${module.relativeModuleId}: ${what}${reasons(errors)}`;

const verdictOf = (test: TestCase): string[] => {
  const result = test.result();
  return result.state === 'failed' ? [failed(test.module, test.fullName, result.errors)] : [];
};

const verdictsOf = (module: TestModule): string[] => [
  ...module.errors().map((error) => failed(module, 'the file', [error])),
  ...[...module.children.allSuites()].flatMap((suite) =>
    suite.errors().map((error) => failed(module, suite.fullName, [error])),
  ),
  ...[...module.children.allTests()].flatMap(verdictOf),
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
