// SPDX-License-Identifier: Apache-2.0
// The languages say the same things: same ids, same values in each, and every code of the core has its words.
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { compileMessage } from '@lingui/message-utils/compileMessage';
import { beforeAll, describe, expect, it } from 'vitest';
import { useLocale } from '../../web/src/i18n';
import { sayNotice } from '../../web/src/notices';

const read = (name: string): Record<string, string> => JSON.parse(readFileSync(`web/messages/${name}.json`, 'utf8'));
const english = read('en');
/** "zh-CN", or "how.zh-CN" where a page has texts of its own. */
const files = readdirSync('web/messages').map((file) => file.replace('.json', ''));
const englishOf = (file: string): Record<string, string> => read(file.replace(/[^.]+$/, 'en'));
/** The names of the values in a compiled message: a list of texts and of [name, format, choices]. */
function valuesIn(compiled: unknown): string[] {
  if (!Array.isArray(compiled)) return [];
  return compiled.flatMap((part: unknown) => {
    if (!Array.isArray(part)) return [];
    const [name, , choices] = part as [string, string?, Record<string, unknown>?];
    return [name, ...Object.values(choices ?? {}).flatMap(valuesIn)];
  });
}
const values = (text: string): string[] =>
  [...new Set(valuesIn(compileMessage(text)))].filter((name) => name !== '#').sort();

describe.each(files)('%s', (file) => {
  const texts = read(file);
  const english = englishOf(file);
  // English takes the core's own sentences: only other languages have texts for its notices.
  const isOfTheCore = (id: string): boolean => /^(notice|phrase)\./.test(id) && !(id in english);
  const common = Object.entries(texts).filter(([id]) => !isOfTheCore(id));
  it('has the ids of English', () => expect(common.map(([id]) => id).sort()).toEqual(Object.keys(english).sort()));
  it('uses the same values', () => {
    for (const [id, text] of common)
      expect({ id, values: values(text) }).toEqual({ id, values: values(english[id] ?? '') });
  });
});

describe('codes of the core', () => {
  const requests = [
    {},
    {
      engine: { name: 'article' },
      model: { id: 'article/7b' },
      weights: { format: 'int8' },
      workload: { context_tokens: 2048 },
    },
    { model: { id: 'deepseek-ai/DeepSeek-R1-Distill-Qwen-32B' }, weights: { format: 'int4' } },
    { model: { id: 'google/gemma-3-27b-it' } },
    { model: { id: 'openai/gpt-oss-120b' } },
    ...[
      'deepseek-ai/DeepSeek-R1',
      'Qwen/Qwen3-30B-A3B',
      'google/gemma-3-27b-it',
      'zai-org/GLM-4.5-Air',
      'microsoft/phi-4',
    ].flatMap((id) =>
      [{}, { options: { flash_attn: 'off' } }, { options: { n_gpu_layers: 5, type_k: 'q8_0', type_v: 'q8_0' } }].map(
        (engine) => ({
          model: { id },
          weights: { format: 'gguf:Q4_K_M' },
          engine: { name: 'llama.cpp', ...engine },
          hardware: [{ device: 'rtx-3090', count: 2 }],
        }),
      ),
    ),
    ...['ollama', 'lm-studio'].map((name) => ({
      model: { id: 'google/gemma-3-27b-it' },
      weights: { format: 'gguf:Q4_K_M' },
      engine: { name },
      hardware: [{ device: 'rtx-3090', count: 2 }],
    })),
    {
      model: { id: 'zai-org/GLM-4.5-Air' },
      weights: { format: 'gguf:Q4_K_M' },
      engine: { name: 'llama.cpp', options: { mtp: true, lora_bytes: 1e8 } },
      hardware: [{ device: 'rtx-3090', count: 4 }],
    },
  ];
  const lines = requests.map((params) =>
    JSON.stringify({
      method: 'estimate',
      params: { model: { id: 'deepseek-ai/DeepSeek-R1' }, hardware: [{ device: 'h200-sxm', count: 8 }], ...params },
    }),
  );
  const answers = execFileSync('build/native/weighbridge', ['--lines'], { input: lines.join('\n'), encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).result);
  const terms = answers
    .flatMap(({ devices, host }) => [...devices.flatMap((device: { terms: object[] }) => device.terms), ...host.terms])
    .filter(({ formula }) => formula);
  const words = { ...english, ...read('engines.en') };
  const expectWords = (prefix: string, codes: string[]): void =>
    expect(codes.filter((code) => !(`${prefix}.${code}` in words))).toEqual([]);

  it('are answers', () => expect(terms.length).toBeGreaterThan(12));
  it('have words for terms', () =>
    expectWords(
      'term',
      terms.map(({ id }) => id),
    ));
  it('have words for rows', () =>
    expectWords(
      'row',
      terms.flatMap(({ formula }) => formula.rows.map(({ label }: { label: string }) => label)),
    ));
  it('have words for factors', () =>
    expectWords(
      'factor',
      terms.flatMap(({ formula }) =>
        formula.rows.flatMap(({ factors }: { factors: { name: string }[] }) => factors.map(({ name }) => name)),
      ),
    ));
  it('have words for notes', () =>
    expectWords(
      'note',
      terms.flatMap(({ formula }) => (formula.note ? [formula.note] : [])),
    ));
});

describe('refusals in Chinese', () => {
  beforeAll(() => useLocale('zh-CN'));
  const config = JSON.parse(readFileSync('tests/fixtures/deepseek-r1.config.json', 'utf8'));
  const of = (keys: object): object => ({ method: 'read_config', params: { config: { ...config, ...keys } } });
  const cases: [string, object][] = [
    ['zero heads', of({ num_attention_heads: 0 })],
    ['negative layers', of({ num_hidden_layers: -1 })],
    ['a text for a number', of({ hidden_size: 'big' })],
    ['an unknown architecture', { method: 'read_config', params: { config: { model_type: 'foo_bar' } } }],
    ['a missing key', of({ hidden_size: null })],
    ['too many experts used', of({ num_experts_per_tok: 9999 })],
    ['no JSON', { method: 'read_config', params: { text: '{' } }],
    ['an unknown model', { method: 'estimate', params: { model: { id: 'x' }, hardware: [] } }],
    [
      'an unknown GPU',
      { method: 'estimate', params: { model: { id: 'deepseek-r1' }, hardware: [{ device: 'h300' }] } },
    ],
    [
      'too long a context',
      {
        method: 'estimate',
        params: { model: { id: 'deepseek-r1' }, hardware: [{ device: 'h200' }], workload: { context_tokens: 1e9 } },
      },
    ],
  ];
  it.each(cases)('%s: no English words but names', (_, request) => {
    const reply = JSON.parse(
      execFileSync('build/native/weighbridge', ['--lines'], { input: JSON.stringify(request), encoding: 'utf8' }),
    );
    const words = sayNotice(reply.error).replaceAll(
      /`[^`]*`|[a-z0-9]+(?:[-_./][a-z0-9]+)+|"[^"]*"|\b(?:JSON|t4|l4|l40s|a100|b200|h\d+|llama|qwen\d|deepseek|mistral|mixtral|gemma\d|phi\d|config)\b/gi,
      '',
    );
    expect(words).toMatch(/[\u4e00-\u9fff]/);
    expect(words.match(/[a-z]{3,}/gi) ?? []).toEqual([]);
  });
});
