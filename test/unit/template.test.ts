/** S10: Go's text/template as swarm's users write it. The expected texts are what Go's own makes of these. */
import { describe, expect, test } from 'vitest';
import { checkTemplate, expand, payloadFunctions } from '../../src/template/index.js';
import { expandContainer } from '../../src/template/service.js';

const FACTS = {
  service: { id: 'sid', name: 'web', labels: { tier: 'front', 'com.x': 'y', empty: '' } },
  node: { id: 'n1', hostname: 'host1', architecture: 'x86_64', os: 'linux' },
  task: { id: 'tid', name: 'web.2.tid', slot: '2' },
};
const functions = payloadFunctions({
  secret: (name) => `<${name}>`,
  config: (name) => name,
  env: (name) => (name === 'A' ? 'b' : ''),
});
const made = (text: string): string => expand(text, FACTS, functions);

describe('S10: a template', () => {
  test.each([
    ['nothing here', 'nothing here'],
    ['{ {x} } }}', '{ {x} } }}'],
    ['{{.Service.ID}} {{.Service.Name}} {{.Node.ID}}', 'sid web n1'],
    ['{{.Node.Platform.Architecture}}/{{ .Node.Platform.OS }}', 'x86_64/linux'],
    ['{{.Service.Labels.tier}}', 'front'],
    ['{{index .Service.Labels "com.x"}}{{index .Service.Labels "none"}}', 'y'],
    ['{{(index .Service.Labels "com.x") | printf "%s-%s" "a"}}', 'a-y'],
    ['{{.Service.Labels}}', 'map[com.x:y empty: tier:front]'],
    ['{{printf "%03s|%-5s|%d|%q|%v|%t|100%%" "a" "b" 3 "c\\"" 4 true}}', '00a|b    |3|"c\\""|4|true|100%'],
    ['{{print "a" 1 2 "b"}}{{println 1 "x"}}', 'a1 2b1 x\n'],
    ['{{join "," "a" "b" .Task.Slot}}', 'a,b,2'],
    ['{{"a\\tb\\x41\\u00e9"}}{{`raw\\n{{}}`}}', 'a\tbAéraw\\n{{}}'],
    ['{{len "né"}} {{len .Service.Labels}}', '3 3'],
    ['{{if eq .Task.Slot "1" "2"}}yes{{else}}no{{end}}', 'yes'],
    ['{{if .Service.Labels.empty}}a{{else if ne .Service.Name "web"}}b{{else}}c{{end}}', 'c'],
    ['{{if and .Service.Name (lt 1 2) (not false)}}a{{end}}{{or "" "b"}}{{and 1 ""}}', 'ab'],
    ['{{if and "" (secret)}}a{{else}}short{{end}}', 'short'],
    ['{{with .Node}}{{.Hostname}} {{$.Task.ID}}{{end}}', 'host1 tid'],
    ['{{with ""}}a{{else}}b{{end}}', 'b'],
    ['{{range $k, $v := .Service.Labels}}{{$k}}={{$v}};{{end}}', 'com.x=y;empty=;tier=front;'],
    ['{{range .Service.Labels}}[{{.}}]{{end}}', '[y][][front]'],
    ['{{$x := "a"}}{{if true}}{{$x = "b"}}{{$y := "c"}}{{end}}{{$x}}', 'b'],
    ['a  {{- "b" -}}  c {{/* said */}}d {{- /* x */ -}} e', 'abc de'],
    ['{{secret "x"}}{{config "y"}}{{env "A"}}', '<x>yb'],
    ['{{ge "b" "a"}} {{le 2 1}} {{gt 2.5 2}}', 'true false true'],
    ['{{nil | printf "%v"}}', '<no value>'],
    ['{{eq 1 2 1}}', 'true'],
  ])('%j becomes %j', (text, wanted) => {
    expect(made(text)).toBe(wanted);
  });

  test.each([
    ['{{', 'unclosed action'],
    ['{{.A', 'unclosed action'],
    ['{{/* a', 'unclosed comment'],
    ['a\nb{{if}}x{{end}}', 'line 2: missing value for if'],
    ['{{if true}}x', 'unexpected EOF: {{if}} has no {{end}}'],
    ['{{if true}}x{{else}}y', 'expected {{end}}'],
    ['{{end}}', 'unexpected {{end}}'],
    ['{{"a}}', 'unexpected "\\"" in command'],
    ['{{(1}}', 'unexpected "}}" in parenthesized pipeline'],
    ['{{1 | }}', 'missing value for command'],
    ['{{"\\q"}}', 'unknown escape'],
    ['{{define "x"}}{{end}}', '{{define}} is not supported'],
    ['{{template "x"}}', '{{template}} is not supported'],
    ['{{a ! b}}', 'unexpected "!"'],
    [`${'{{if true}}'.repeat(200)}`, 'nested deeper than 100 levels'],
    [`{{${'('.repeat(200)}}}`, 'nested deeper than 100 levels'],
  ])('%j is none, and that is said before it is used', (text, words) => {
    expect(() => checkTemplate(text)).toThrow(words);
  });

  test.each([
    ['{{.Nope}}', "can't evaluate field Nope in type template.Context"],
    ['{{.Node.Nope}}', "can't evaluate field Nope in type template.Node"],
    ['{{.Service.Name.X}}', "can't evaluate field X in type string"],
    ['{{.Service.Labels.none}}', 'map has no entry for key "none"'],
    ['{{.constructor}}', "can't evaluate field constructor"],
    ['{{toString}}', 'function "toString" not defined'],
    ['{{Service.Name}}', 'function "Service" not defined'],
    ['{{js "x"}}', 'function "js" not defined'],
    ['{{$x}}', 'undefined variable "$x"'],
    ['{{$x = 1}}', 'undefined variable "$x"'],
    ['{{"a" "b"}}', "can't give argument to non-function"],
    ['{{range .Service.Name}}{{end}}', "range can't iterate over string"],
    ['{{eq 1 "1"}}', 'incompatible types for comparison'],
    ['{{printf "%d" "x"}}', '%d of type string is not supported'],
    ['{{printf "%s"}}', 'has no operand'],
    ['{{env "A" "B"}}', 'wrong number or type of args for env'],
    ['{{index .Service.Name "x"}}', "can't index item of type string"],
  ])('%s cannot be filled in', (text, words) => {
    expect(() => made(text)).toThrow(words);
  });

  test('takes no longer, and becomes no larger, than a node can bear', () => {
    const labels = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`l${i}`, 'x'.repeat(100)]));
    const facts = { ...FACTS, service: { ...FACTS.service, labels } };
    const nested = (inside: string, depth: number): string =>
      depth === 0 ? inside : nested(`{{range $.Service.Labels}}${inside}{{end}}`, depth - 1);
    expect(() => expand(nested('{{len .}}', 6), facts)).toThrow('takes more than 20000 steps');
    expect(() => expand(nested('x'.repeat(100_000), 1), facts)).toThrow('becomes longer than');
    const doubled = `{{$x := "0123456789"}}${'{{$x = print $x $x}}'.repeat(40)}`;
    expect(() => expand(doubled, facts)).toThrow('a text becomes longer than');
    expect(() => expand(`{{printf "%999s" "a"}}`, facts)).toThrow('more operands than verbs');
    expect(() => checkTemplate('{{.Task.ID}}'.repeat(10_000))).toThrow('it has more than 20000 words');
    const long = `${' '.repeat(500_000)}{{- "a" -}}${' '.repeat(500_000)}`;
    expect(expand(long, facts)).toBe('a');
  });
});

describe('S3: what of a service may be a template', () => {
  test('values of variables, mounts and the hostname, and nothing else', () => {
    const options = {
      Labels: { of: '{{.Task.ID}}' },
      DriverConfig: { Name: 'local', Options: { o: '{{.Task.Slot}}' } },
    };
    expect(
      expandContainer(
        {
          Image: '{{.Node.ID}}',
          Args: ['{{.Task.ID}}'],
          Hostname: '{{.Node.Hostname}}-{{.Task.Slot}}',
          Env: ['{{.A}}=x', 'B={{.Service.Name}}=1', 'C'],
          Mounts: [
            {
              Type: 'volume',
              Source: 'v{{.Task.Slot}}',
              Target: '/{{.Service.Name}}',
              VolumeOptions: options,
            },
          ],
        },
        FACTS,
      ),
    ).toEqual({
      Image: '{{.Node.ID}}',
      Args: ['{{.Task.ID}}'],
      Hostname: 'host1-2',
      Env: ['{{.A}}=x', 'B=web=1', 'C'],
      Mounts: [
        {
          ...{ Type: 'volume', Source: 'v2', Target: '/web' },
          VolumeOptions: { Labels: { of: 'tid' }, DriverConfig: { Name: 'local', Options: { o: '2' } } },
        },
      ],
    });
  });
  test('what is wrong is said with its place', () => {
    const of = (container: object) => () => expandContainer({ Image: 'x', ...container }, FACTS);
    expect(of({ Env: ['A={{.Nope}}'] })).toThrow('expanding env "A={{.Nope}}" failed: template: line 1: can');
    expect(of({ Hostname: '{{' })).toThrow('expanding hostname failed: template: line 1: unclosed action');
    expect(of({ Mounts: [{ Type: 'volume', Source: '{{x}}', Target: '/a' }] })).toThrow(
      'expanding mount of "/a" failed',
    );
  });
});
