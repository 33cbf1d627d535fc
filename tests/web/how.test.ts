// SPDX-License-Identifier: Apache-2.0
// "How we count": the article's figures come out of the core, and the page notices when they do not.
import { execFileSync } from 'node:child_process';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Core } from '../../web/src/core/core';
import type { Estimate } from '../../web/src/core/wire';
import { ask, kArticleCase, requestOf } from '../../web/src/how/ask';
import { howData } from '../../web/src/how/data';
import { caseFigures, type CaseFigures } from '../../web/src/how/figures';
import { asPrinted, reproduced, ruleOfThumb } from '../../web/src/how/prints';
import { savings, type Saving } from '../../web/src/how/savings';
import { useLocale } from '../../web/src/i18n';

/** The program starts for each question, so the same one is asked once. */
const answers = new Map<string, string>();
function answerTo(input: string): string {
  const known = answers.get(input);
  if (known !== undefined) return known;
  const answer = execFileSync('build/native/weighbridge', ['--lines'], { input, encoding: 'utf8', maxBuffer: 1 << 26 });
  answers.set(input, answer);
  return answer;
}

const core: Core = {
  bringSpecs: () => Promise.resolve(), // the program reads configs
  bringDevices: () => Promise.resolve(),
  bringEngines: () => Promise.resolve(),
  call: (method, params) => JSON.parse(answerTo(JSON.stringify({ method, params }))),
};
const catalogue = core.call('catalogue', {});
if (!catalogue.ok) throw new Error('no catalogue');
const choices = catalogue.result;
const kGiB = 2 ** 30;

function figuresOf(change: Partial<typeof kArticleCase> = {}): CaseFigures {
  const figures = caseFigures(core, { ...kArticleCase, ...change }, choices);
  if ('problem' in figures) throw new Error(figures.problem.message);
  return figures;
}
const find = (all: Saving[], id: string, to?: string | number): Saving | undefined =>
  all.find((saving) => saving.id === id && (to === undefined || saving.to === to));

beforeAll(() => useLocale('en'));

describe('the article', () => {
  it('prints the cache by 1024 once and by 1000 once, and adds rounded parts', () => {
    expect(asPrinted(14e9, 16_777_216, 33_554_432)).toEqual(['16.8', '32.8', '14.05']);
    expect(asPrinted(7e9, 8_388_608, 16_777_216)).toEqual(['8.4', '16.4', '7.02']);
  });
  it('comes out of the core', () =>
    expect(reproduced(core).map(({ total }) => total)).toEqual([14_050_331_648, 7_025_165_824]));
  it('contradicts its own rule of thumb', () => {
    const [low, high] = ruleOfThumb(14e9);
    expect([low, high]).toEqual([16.8e9, 21e9]);
    expect(figuresOf().article.total).toBeLessThan(low);
  });
  it('that does not come out fails the build', () => {
    const off: Core = {
      ...core,
      call: (method, params) => {
        const reply = core.call(method, params);
        if (method === 'estimate' && reply.ok)
          for (const device of (reply.result as Estimate).devices) device.total_bytes += 1;
        return reply;
      },
    };
    expect(() => reproduced(off)).toThrow(/worked case in fp16: expected .*14050331648/);
  });
});

describe('the case', () => {
  it('keeps a cache for every layer and every request', () => {
    const rows = (sequences: number): number => {
      const term = figuresOf({ sequences }).engine.terms.find(({ id }) => id === 'kv_cache');
      return term?.formula?.rows.find(({ label }) => label === 'full_sequences')?.bytes ?? 0;
    };
    expect(rows(1)).toBe(kGiB);
    expect(rows(16)).toBe(16 * kGiB);
  });
  it('that the core refuses says why', () => {
    const figures = caseFigures(core, { ...kArticleCase, tokens: 4096 }, choices);
    expect('problem' in figures && figures.problem.where).toBe('params.workload.context_tokens');
  });
  it('deploys 30B on two cards of 40 GB, and on eight only by the article', () => {
    const { deployments } = figuresOf();
    const [, eight, four, two] = deployments.map(({ engine }) => engine);
    expect(eight?.class).toBe('impossible');
    expect(eight?.reason?.code).toBe('not_divisible');
    expect(four?.class).toBe('fits');
    expect(two?.class).toBe('fits');
    expect(two?.total).toBeGreaterThan(30e9);
    expect(two?.total).toBeLessThan(two?.limit ?? 0);
  });
  it('links to itself', () => expect(figuresOf().engine.hash).toBe('v=1&m=article-7b&w=fp16&ctx=2k&n=1&g=1xa100-80gb'));
});

describe('a strategy saves', () => {
  const answer = ask(core, requestOf({ ...kArticleCase, sequences: 16 }, 'vllm'));
  const all = savings(core, answer, choices);
  it('half of everything by the article with INT8, the weights by the engine', () => {
    const int8 = find(savings(core, ask(core, requestOf(kArticleCase, 'vllm')), choices), 'format', 'int8');
    expect(int8).toMatchObject({ from: 'fp16', article: 14_050_331_648 - 7_025_165_824, engine: 7e9 });
  });
  it('nothing by the article where it has no rule', () => {
    expect(find(all, 'format', 'int4')?.article).toBeNull();
    expect(find(all, 'cache')?.article).toBeNull();
    expect(find(all, 'chunk')?.article).toBeNull();
  });
  it('15 of 16 caches with one request at a time', () =>
    expect(find(all, 'sequences', 1)?.engine).toBeGreaterThanOrEqual(15 * kGiB));
  it('half the cache with half the context, or with 8 bits', () => {
    expect(find(all, 'context', 1024)?.engine).toBeGreaterThanOrEqual(8 * kGiB);
    expect(find(all, 'cache')?.engine).toBeGreaterThanOrEqual(8 * kGiB);
  });
  it('for a model from the catalogue too, and names a relative', () => {
    const link = core.call('share.decode', { hash: '' });
    if (!link.ok) throw new Error('no default');
    const ofR1 = savings(core, ask(core, link.result.request), choices);
    expect(find(ofR1, 'sibling')?.to).toBe('DeepSeek-R1-Distill-Llama-70B');
    expect(find(ofR1, 'tensor', 16)).toBeDefined();
  });
});

describe('what the build writes', () => {
  const link = core.call('share.decode', { hash: '' });
  if (!link.ok) throw new Error('no default');
  const data = howData(core, ask(core, link.result.request));
  const member = (id: string) => data.family.find((candidate) => candidate.id === id);
  it('holds R1, its six distillations and the three sizes', () => expect(data.family).toHaveLength(10));
  it('counts the cache of a token as each attention stores it', () => {
    expect(member('article/13b')).toMatchObject({ token: 819_200, tokenByHeads: 819_200 });
    expect(member('deepseek-ai/DeepSeek-R1')?.token).toBe(61 * 576 * 2);
    const gqa = member('deepseek-ai/DeepSeek-R1-Distill-Llama-70B');
    expect((gqa?.tokenByHeads ?? 0) / (gqa?.token ?? 1)).toBe(8);
    expect(data.quantizedToken.token).toBe((gqa?.token ?? 0) / 2);
  });
  it('knows the name of every device it shows', () => {
    for (const { device } of [...data.figures.cards, ...data.family.map(({ setup }) => setup)])
      expect(data.deviceNames[device ?? '']).toBeTruthy();
  });
});
