// SPDX-License-Identifier: Apache-2.0
// The languages say the same things: same ids, same values in each, and every code of the core has its words.
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { compileMessage } from '@lingui/message-utils/compileMessage';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Estimate, Reply } from '../../web/src/core/wire';
import { useLocale } from '../../web/src/i18n';
import { noticeTexts, sayNotice } from '../../web/src/notices';
import { weightsName } from '../../web/src/views/weights-name';

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

const catalogue = JSON.parse(readFileSync('build/native/catalogue/models.json', 'utf8')) as {
  models: { id: string; kind: string }[];
};
const gpus = JSON.parse(readFileSync('build/native/catalogue/gpus.json', 'utf8')) as { devices: { kind: string }[] };

/** What the core says of every model of its catalogue, as published and as a GGUF, with what changes the stages of a step. */
function answersOfTheCatalogue(): Estimate[] {
  const gguf = { weights: { format: 'gguf:Q4_K_M' } };
  const quantized = { n_gpu_layers: 5, type_k: 'q8_0', type_v: 'q8_0' };
  const ways = [
    {},
    { weights: { format: 'int8' }, engine: { name: 'article' } },
    { ...gguf, engine: { name: 'llama.cpp' } },
    { ...gguf, engine: { name: 'llama.cpp', options: { flash_attn: 'off' } } },
    { ...gguf, engine: { name: 'llama.cpp', options: quantized } },
    { ...gguf, engine: { name: 'llama.cpp', options: { mtp: true, mmproj: true, lora_bytes: 1e8 } } },
    { ...gguf, engine: { name: 'ollama' } },
    { ...gguf, engine: { name: 'lm-studio' } },
    { engine: { name: 'sglang', options: { speculative_algorithm: 'NEXTN' } } },
    { engine: { name: 'transformers', version: '4.38', options: { attn_implementation: 'eager' } } },
    { ...gguf, engine: { name: 'ollama', version: '0.6.3', options: { kv_cache_type: 'q8_0' } } },
    { ...gguf, engine: { name: 'ollama', version: '0.15.5' } },
    { ...gguf, engine: { name: 'lm-studio', version: '0.3' } },
  ];
  // Every model is asked in some ways, every way of a quarter of the models.
  const lines = catalogue.models.flatMap(({ id }, model) =>
    ways
      .filter((_, way) => (model + way) % 4 === 0)
      .map((way) => {
        const [workload, hardware] = [{ context_tokens: 512, sequences: 2 }, [{ device: 'h200-sxm', count: 2 }]];
        return JSON.stringify({ method: 'estimate', params: { model: { id }, workload, hardware, ...way } });
      }),
  );
  const kMostOutput = 1 << 28; // bytes; an answer is 30 kB
  return execFileSync('build/native/weighbridge', ['--lines'], {
    input: lines.join('\n'),
    encoding: 'utf8',
    maxBuffer: kMostOutput,
  })
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Reply<Estimate>)
    .flatMap((reply) => (reply.ok ? [reply.result] : []));
}

/** The codes that stand in the sources of the engines: also what no model of the catalogue brings about. */
function codesInSources(): { row: string[]; factor: string[] } {
  const folder = 'core/src/engine';
  const text = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.cpp'))
    .map((file) => readFileSync(`${folder}/${file}`, 'utf8'))
    .join('\n');
  // make_row(explain, "row", {{"factor", …}, …}), FormulaRow name{"row", …}, factors.push_back({"factor", …}), return "row"
  const rows = [...text.matchAll(/make_row\([^;]*?;/g)].map(([row]) => row);
  const first = (row: string): string => row.slice(0, row.indexOf('{'));
  const quoted = (part: string): string[] => [...part.matchAll(/"([a-z][a-z0-9_]*)"/g)].map(([, code]) => code ?? '');
  const [, labels = ''] = /string_view row_label\(([^]*?)\n}/.exec(text) ?? [];
  return {
    row: [
      ...rows.flatMap((row) => quoted(first(row))),
      ...[...text.matchAll(/FormulaRow \w+\{\s*("\w+")|rows\.push_back\(\{("\w+")|label = ("\w+")/g)].flatMap(
        ([match]) => quoted(match),
      ),
      ...quoted(labels),
    ],
    factor: [
      ...rows.flatMap((row) => [...row.matchAll(/\{"(\w+)",/g)].map(([, code]) => code ?? '')),
      ...[...text.matchAll(/factors\.push_back\(\{([^,]*),/g)].flatMap(([, names]) => quoted(names ?? '')),
    ],
  };
}

describe('codes of the core', () => {
  const known = { ...english, ...read('devices.en'), ...read('engines.en'), ...read('math.en'), ...read('read.en') };
  const expectWords = (prefix: string, codes: Iterable<string>): void =>
    expect([...new Set(codes)].filter((code) => !(`${prefix}.${code}` in known))).toEqual([]);
  const answers = answersOfTheCatalogue();
  const formulas = answers
    .flatMap(({ devices, host }) => [...devices.flatMap(({ terms }) => terms), ...host.terms])
    .flatMap(({ formula }) => formula ?? []);
  const rows = formulas.flatMap((formula) => formula.rows);
  const sources = codesInSources();

  it('are many', () => {
    expect(answers.length).toBeGreaterThan(900);
    expect(new Set(rows.map(({ label }) => label)).size).toBeGreaterThan(40);
    expect(new Set(sources.row).size).toBeGreaterThan(40);
    expect(new Set(sources.factor).size).toBeGreaterThan(50);
  });
  it('have words for terms', () =>
    expectWords(
      'term',
      answers.flatMap(({ devices, host }) =>
        [...devices.flatMap(({ terms }) => terms), ...host.terms].map(({ id }) => id),
      ),
    ));
  it('have words for rows', () => expectWords('row', [...rows.map(({ label }) => label), ...sources.row]));
  it('have words for factors', () =>
    expectWords('factor', [...rows.flatMap(({ factors }) => factors.map(({ name }) => name)), ...sources.factor]));
  it('have words for notes', () =>
    expectWords(
      'note',
      formulas.flatMap(({ note }) => note ?? []),
    ));
  it('have words for kinds of models and of devices', () => {
    expectWords(
      'kind',
      catalogue.models.map(({ kind }) => kind),
    );
    expectWords(
      'deviceKind',
      gpus.devices.map(({ kind }) => kind),
    );
  });
  it('have words for kinds of attention', () =>
    expectWords(
      'attention',
      answers.map(({ model }) => model.attention),
    ));
  it('have names for formats of weights', () => {
    const formats = answers.flatMap(({ weights_formats }) => weights_formats.map(({ resolved }) => resolved));
    const names = [...new Set(formats)].map(weightsName);
    expect(names).toContain('AWQ 4-bit');
    expect(names).toContain('NF4 (bitsandbytes)');
    expect(names).toContain('MLX 8-bit');
    expect(names).toContain('Q4_K_M');
    expect(
      names.filter((name) => !/^[A-Z]/.test(name) || /int|bnb|:/.test(name.replace('(bitsandbytes)', ''))),
    ).toEqual([]);
  });
});

describe('refusals in Chinese', () => {
  // What goes wrong with a config has its words with those of reading.
  beforeAll(async () => {
    await useLocale('zh-CN', {
      en: () => import('../../web/messages/read.en.json'),
      'zh-CN': () => import('../../web/messages/read.zh-CN.json'),
    });
    await noticeTexts();
  });
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
    ['a solver that there is not', { method: 'solve', params: { find: 'colour', request: {} } }],
    [
      'too long a context',
      {
        method: 'estimate',
        params: { model: { id: 'deepseek-r1' }, hardware: [{ device: 'h200' }], workload: { context_tokens: 1e9 } },
      },
    ],
  ];
  it.each([
    ['GPUs of one backend', '同一种后端的显卡'],
    ['a setting that the engine, the model and the devices have', '引擎、模型和设备都有的设置'],
    ['more GPU memory', '更多显存'],
    ['0.6.7 or newer', '0.6.7 或更新版本'],
    ['flash_attn on or auto, or f16, bf16, f32', 'flash_attn 为 on 或 auto，或者 f16, bf16, f32'],
  ])('what is expected has its words: %s', (expected, words) =>
    expect(
      sayNotice({ code: 'unsupported', where: 'params', message: '', values: { key: 'k', value: 'v', expected } }),
    ).toBe(`\`k\` = v 不能这样运行：需要${words}。`),
  );
  it('what a solver cannot look for has its words', () => {
    const sought = { key: 'find', value: 'gpu_layers', expected: 'a setting that the engine has' };
    const said = sayNotice({ code: 'unsupported', where: 'params.find', message: '', values: sought });
    expect(said).toBe('这里不能求放在显卡上的层数：需要引擎、模型和设备都有的设置。');
  });
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
