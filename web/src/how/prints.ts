// SPDX-License-Identifier: Apache-2.0
// What the article prints, and how it gets there from exact bytes. The build fails where the core's count no longer gives these figures.
import type { Core } from '../core/core';
import { ask, fullest, kArticleCase, requestOf, termOf, type Case } from './ask';

export interface Printed {
  format: Case['format'];
  activations: number;
  cache: number;
  total: number;
  /** The figures as the article writes them: MB, MB, GB. */
  prints: [string, string, string];
}

/** "Measuring and optimising inference memory for the DeepSeek-R1 versions", 2025-09-25, its worked case. */
const kPrinted: Printed[] = [
  {
    format: 'fp16',
    activations: 16_777_216,
    cache: 33_554_432,
    total: 14_050_331_648,
    prints: ['16.8', '32.8', '14.05'],
  },
  { format: 'int8', activations: 8_388_608, cache: 16_777_216, total: 7_025_165_824, prints: ['8.4', '16.4', '7.02'] },
];

/** Its table of weights, GB of 10^9 bytes. */
const kPrintedWeights: [string, string, string][] = [
  ['article/7b', '14.0', '7.0'],
  ['article/13b', '26.0', '13.0'],
  ['article/30b', '60.0', '30.0'],
];

/** Its rule of thumb: real use in times the weights. */
export const kRuleOfThumb = { low: 1.2, high: 1.5 };
const kPrintedRule: [string, string] = ['16.8', '21.0'];

/** Activations by 1000 twice; the cache by 1024 once and by 1000 once; the total adds the rounded parts. */
export function asPrinted(weights: number, activations: number, cache: number): Printed['prints'] {
  const activationsMb = (activations / 1000 / 1000).toFixed(1);
  const cacheMb = (cache / 1024 / 1000).toFixed(1);
  return [activationsMb, cacheMb, (weights / 1e9 + Number(activationsMb) / 1000 + Number(cacheMb) / 1000).toFixed(2)];
}

export const ruleOfThumb = (weights: number): [number, number] => [
  weights * kRuleOfThumb.low,
  weights * kRuleOfThumb.high,
];

function expectSame(what: string, expected: unknown, counted: unknown): void {
  if (JSON.stringify(expected) !== JSON.stringify(counted))
    throw new Error(
      `the article's ${what}: expected ${JSON.stringify(expected)}, the core gives ${JSON.stringify(counted)}`,
    );
}

const gb = (bytes: number): string => (bytes / 1e9).toFixed(1);

/** The article's worked case in both formats, reproduced by the core; throws where a figure differs. */
export function reproduced(core: Core): Printed[] {
  for (const [model, fp16, int8] of kPrintedWeights) {
    const weights = (format: Case['format']): string =>
      gb(termOf(ask(core, requestOf({ ...kArticleCase, model, format }, 'article')), 'weights').bytes);
    expectSame(`weights of ${model}`, [fp16, int8], [weights('fp16'), weights('int8')]);
  }
  for (const printed of kPrinted) {
    const answer = ask(core, requestOf({ ...kArticleCase, format: printed.format }, 'article'));
    const weights = termOf(answer, 'weights').bytes;
    const activations = termOf(answer, 'compute').bytes;
    const cache = termOf(answer, 'kv_cache').bytes;
    const total = fullest(answer)?.total_bytes ?? 0;
    expectSame(`worked case in ${printed.format}`, printed, {
      format: printed.format,
      activations,
      cache,
      total,
      prints: asPrinted(weights, activations, cache),
    });
  }
  const weights = termOf(ask(core, requestOf(kArticleCase, 'article')), 'weights');
  expectSame('rule of thumb', kPrintedRule, ruleOfThumb(weights.bytes).map(gb));
  expectSame('rule of thumb in the core', weights.high_bytes, weights.bytes * kRuleOfThumb.high);
  return kPrinted;
}
