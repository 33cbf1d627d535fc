// SPDX-License-Identifier: Apache-2.0
// The languages say the same things: same ids, same values in each, and every code of the core has its words.
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { compileMessage } from '@lingui/message-utils/compileMessage';
import { describe, expect, it } from 'vitest';

const read = (name: string): Record<string, string> => JSON.parse(readFileSync(`web/messages/${name}.json`, 'utf8'));
const english = read('en');
const languages = readdirSync('web/messages').map((file) => file.replace('.json', ''));
/** The names of the values in a compiled message: a list of texts and of [name, format, choices]. */
function valuesIn(compiled: unknown): string[] {
  if (!Array.isArray(compiled)) return [];
  return compiled.flatMap((part: unknown) => {
    if (!Array.isArray(part)) return [];
    const [name, , choices] = part as [string, string?, Record<string, unknown>?];
    return [name, ...Object.values(choices ?? {}).flatMap(valuesIn)];
  });
}
const values = (text: string): string[] => [...new Set(valuesIn(compileMessage(text)))].filter((name) => name !== '#').sort();

describe.each(languages)('%s', (language) => {
  const texts = read(language);
  it('has the ids of English', () => expect(Object.keys(texts).sort()).toEqual(Object.keys(english).sort()));
  it('uses the same values', () => {
    for (const [id, text] of Object.entries(texts)) expect({ id, values: values(text) }).toEqual({ id, values: values(english[id] ?? '') });
  });
});

describe('codes of the core', () => {
  const requests = [
    {},
    { engine: { name: 'article' }, model: { id: 'article/7b' }, weights: { format: 'int8' }, workload: { context_tokens: 2048 } },
    { model: { id: 'deepseek-ai/DeepSeek-R1-Distill-Qwen-32B' }, weights: { format: 'int4' } },
  ];
  const lines = requests.map((params) =>
    JSON.stringify({ method: 'estimate', params: { model: { id: 'deepseek-ai/DeepSeek-R1' }, hardware: [{ device: 'h200-sxm', count: 8 }], ...params } }),
  );
  const answers = execFileSync('build/native/weighbridge', ['--lines'], { input: lines.join('\n'), encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).result);
  const terms = answers.flatMap((answer) => answer.devices[0].terms);
  const expectWords = (prefix: string, codes: string[]): void => expect(codes.filter((code) => !(`${prefix}.${code}` in english))).toEqual([]);

  it('are answers', () => expect(terms.length).toBeGreaterThan(12));
  it('have words for terms', () => expectWords('term', terms.map(({ id }) => id)));
  it('have words for rows', () => expectWords('row', terms.flatMap(({ formula }) => formula.rows.map(({ label }: { label: string }) => label))));
  it('have words for factors', () =>
    expectWords(
      'factor',
      terms.flatMap(({ formula }) => formula.rows.flatMap(({ factors }: { factors: { name: string }[] }) => factors.map(({ name }) => name))),
    ));
  it('have words for notes', () => expectWords('note', terms.flatMap(({ formula }) => (formula.note ? [formula.note] : []))));
});
