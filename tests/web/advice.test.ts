// SPDX-License-Identifier: Apache-2.0
// Advice on the page: its patches are merged as RFC 7396 says, and every code of the core has its words.
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import chinese from '../../web/messages/advice.zh-CN.json';
import english from '../../web/messages/advice.en.json';
import { merge } from '../../web/src/advice/merge';
import { changeText, outcomeText, priceText, rowText } from '../../web/src/advice/texts';
import type { AdviceRow } from '../../web/src/core/wire';
import { addMessages, useLocale } from '../../web/src/i18n';

const source = readFileSync('core/src/advise/advise.cpp', 'utf8');
const settings = readFileSync('core/src/advise/advise_settings.cpp', 'utf8');
/** The codes that name_of() of a kind gives. */
const codesOf = (kind: string): string[] => {
  const [, body = ''] = new RegExp(`name_of\\(${kind} [^]*?names\\{([^]*?)};`).exec(source) ?? [];
  return [...body.matchAll(/"(\w+)"/g)].map(([, code]) => code ?? '');
};

const row: AdviceRow = {
  changes: [
    { strategy: 'weights', from: 'bf16', to: 'gguf:Q4_K_M', price: 'weights_4bit', note: null },
    { strategy: 'share', from: null, to: 0.95, price: 'less_for_others', note: null },
  ],
  patch: {},
  gained_bytes: 2 ** 30,
  enough: true,
  verdict: {
    class: 'fits',
    device: 0,
    need_bytes: 1,
    low_bytes: 1,
    high_bytes: 1,
    limit_bytes: 2,
    limit: 'engine',
    free_bytes: 5 * 2 ** 30,
    shortfall_bytes: 0,
    measured: true,
    nearest: null,
    reason: null,
  },
  host_bytes: null,
};

beforeAll(async () => {
  await useLocale('en');
  const texts = (): Promise<{ default: unknown }> => import('../../web/messages/advice.en.json');
  await addMessages({ en: texts, 'zh-CN': texts });
});

describe('a patch', () => {
  it('merges objects, takes away what is null, and replaces the rest', () => {
    const target = {
      engine: { name: 'vllm', options: { max_model_len: 1, enforce_eager: true } },
      hardware: [{ count: 1 }],
    };
    const patch = { engine: { options: { max_model_len: null } }, hardware: [{ count: 2 }], parallel: null };
    expect(merge(target, patch)).toEqual({
      engine: { name: 'vllm', options: { enforce_eager: true } },
      hardware: [{ count: 2 }],
    });
    expect(target.hardware).toEqual([{ count: 1 }]);
  });
});

describe('codes of the core', () => {
  const worded = ['model', 'weights', 'cache', 'split', 'share'];
  it('have words: strategies', () => {
    expect(codesOf('Strategy')).toHaveLength(16);
    expect(codesOf('Strategy').filter((code) => !worded.includes(code) && !(`advice.${code}` in english))).toEqual([]);
  });
  it('have words: prices', () => {
    expect(codesOf('Price')).toHaveLength(24);
    expect(codesOf('Price').filter((code) => !(`advice.price.${code}` in english))).toEqual([]);
  });
  it('have words: notes', () => {
    const notes = [...settings.matchAll(/QualityNote k\w+\{"(\w+)"/g)].map(([, code]) => code ?? '');
    expect(notes.length).toBeGreaterThan(9);
    expect(notes.filter((code) => !(`advice.note.${code}` in english))).toEqual([]);
  });
});

// Each stands beside another one, which may lose something.
describe('a price', () => {
  it.each([english, chinese])('says nothing of what is not lost', (texts) => {
    const prices = Object.entries(texts).filter(([key]) => key.startsWith('advice.price.'));
    expect(prices).toHaveLength(24);
    for (const [, words] of prices) expect(JSON.stringify(words)).not.toMatch(/nothing|the same|不变|没有/i);
  });
});

describe('a row', () => {
  it('says what changes, its price and what comes of it', () => {
    const names = { engine: 'vLLM', device: 'H100' };
    expect(row.changes.map((change) => changeText(change, names))).toEqual([
      'Q4_K_M weights',
      '95 % of each GPU for vLLM',
    ]);
    const more = { strategy: 'devices', from: 8, to: 16, price: 'more_devices', note: null };
    expect(rowText({ ...row, changes: [more], patch: {} }, names)).toBe('16 × H100');
    const parallel = { tensor: 8, pipeline: 2, data: 1, expert: false };
    expect(rowText({ ...row, changes: [more], patch: { parallel } }, names)).toBe('16 × H100 (TP8 × PP2)');
    const machines = { tensor: null, pipeline: null, nodes: 4 };
    expect(rowText({ ...row, changes: [more], patch: { parallel: machines } }, names)).toBe('16 × H100 (nodes=4)');
    expect(priceText(row)).toBe('Weights are rounded to 4 bits; check it on your own tasks. Other programs have less.');
    expect(outcomeText(row, 'fit', 'gib')).toBe('fits, 5.00\u00a0GiB free');
    const short = { ...row, enough: false, verdict: { ...row.verdict, shortfall_bytes: 2 ** 31 } };
    expect(outcomeText(short, 'fit', 'gib')).toBe('still 2.00\u00a0GiB short');
    expect(priceText(short)).toMatch(/^Not enough alone\. /);
  });
});
