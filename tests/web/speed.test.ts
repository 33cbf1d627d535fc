// SPDX-License-Identifier: Apache-2.0
// Speed, cost and rules of thumb in words, on the core's own figures.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Receipts, Reply, Speed } from '../../web/src/core/wire';
import { useLocale, type Locale } from '../../web/src/i18n';
import {
  costSentence,
  costsShown,
  factorText,
  missText,
  range,
  seconds,
  speedSentences,
  speedTexts,
} from '../../web/src/speed/texts';

const { machines } = JSON.parse(readFileSync('build/native/catalogue/machines.json', 'utf8'));
const request = {
  model: { id: 'deepseek-ai/DeepSeek-R1' },
  workload: { context_tokens: 32768, sequences: 16 },
  hardware: [{ device: 'h200-sxm', count: 8 }],
};

function call<T>(method: string, params: object): T {
  const input = JSON.stringify({ method, params });
  const reply = JSON.parse(execFileSync('build/native/weighbridge', { input, encoding: 'utf8' })) as Reply<T>;
  if (!reply.ok) throw new Error(reply.error.message);
  return reply.result;
}
const speed = call<Speed>('speed', { request, machines });
const speak = async (locale: Locale): Promise<void> => {
  await useLocale(locale);
  await speedTexts();
};

describe('in English', () => {
  beforeAll(() => speak('en'));
  it('gives two digits and a dash', () => {
    expect(range({ low: 23.44, high: 46.5 })).toBe('23–47');
    expect(range({ low: 375.1, high: 743.9 })).toBe('380–740');
    expect(range({ low: 1.01, high: 1.02 })).toBe('1');
    expect(seconds({ low: 0.4002, high: 2.673 })).toBe('0.4–2.7\u00a0s');
    expect(seconds({ low: 0.0053, high: 0.0121 })).toBe('5.3–12\u00a0ms');
  });
  it('says what takes the time and what the range rests on', () => {
    const [bound, basis, ...others] = speedSentences(speed, 'vllm', 8, 'gib');
    expect(bound).toContain('<b>274.5\u00a0GiB</b> of cache');
    expect(basis).toBe(
      'The range is what 85 measured runs of vLLM reached (6 sources): 50–85 % of the memory’s bandwidth, and 60–160 µs a layer beside.',
    );
    expect(others).toEqual([]);
  });
  it('never gives a price without where and when', () => {
    const [aws, azure] = costsShown(speed.costs);
    expect(costSentence(aws!, 8)).toMatch(
      /^AWS p5en\.48xlarge: \$63\.30 an hour, \$\d+–\$\d+ a million generated tokens \(us-east-1, 2026-\u206007-\u206020\)$/,
    );
    expect(costSentence(azure!, 4)).toMatch(/; all its 8 GPUs are paid$/);
  });
  it('says how far a rule is off', () => {
    const { total_bytes: total, receipts } = call<Receipts>('receipts', request);
    expect(
      receipts.map((receipt) => [factorText(receipt.factor), missText(receipt, total, 'gib')].join(' × ')),
    ).toEqual([
      '1.33 × 308.6\u00a0GiB too much',
      '0.66 × 316.3\u00a0GiB too little',
      '0.80 × 191.3\u00a0GiB too little',
      '0.037 × 906.3\u00a0GiB too little',
      '0.68 × 296.8\u00a0GiB too little',
    ]);
  });
});

// The arrays of names in core/src/speed/speed_methods.cpp are all that can come.
describe.each(['en', 'zh-CN'])('codes in %s', (locale) => {
  const texts = JSON.parse(readFileSync(`web/messages/speed.${locale}.json`, 'utf8')) as Record<string, string>;
  const source = readFileSync('core/src/speed/speed_methods.cpp', 'utf8');
  it.each([
    ['kCauses', 'speed.bound'],
    ['kGaps', 'speed.gap'],
    ['kThumbs', 'receipts'],
  ])('%s have words', (array, prefix) => {
    const [, list = ''] = new RegExp(`${array}\\{([^}]*)\\}`).exec(source) ?? [];
    const codes = [...list.matchAll(/"(\w+)"/g)].map(([, code]) => `${prefix}.${code}`);
    expect(codes.length).toBeGreaterThan(4);
    expect(codes.filter((id) => !(id in texts))).toEqual([]);
  });
});

it('puts prices in yuan first for those who read Chinese', async () => {
  await speak('zh-CN');
  const hardware = [{ device: 'a100-sxm4-80gb', count: 1 }];
  const { costs } = call<Speed>('speed', {
    request: { model: { id: 'Qwen/Qwen3-8B' }, workload: { context_tokens: 4096, sequences: 4 }, hardware },
    machines,
  });
  const [first] = costsShown(costs);
  expect(first?.currency).toBe('CNY');
  expect(costSentence(first!, 1)).toMatch(/每小时 ¥[\d,.]+，每百万生成 token ¥[\d.]+–¥[\d.]+/);
});
