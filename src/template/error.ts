/** Why a template is none, or cannot be filled in. `line`: from 1 on. */
export class TemplateError extends Error {
  constructor(what: string, line: number) {
    super(`template: line ${line}: ${what}`);
  }
}
