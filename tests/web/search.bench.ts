// SPDX-License-Identifier: Apache-2.0
// What a key stroke in the model field costs, among all models of the catalogue.
import { readFileSync } from 'node:fs';
import { bench } from 'vitest';
import { CatalogueSearch } from '../../web/src/search/catalogue';

const { models } = JSON.parse(readFileSync('build/wasm/catalogue/models.json', 'utf8'));
const search = new CatalogueSearch(models);
const kTexts = [
  'deepseek r1 distill llama 70b',
  'lama 3.1 8b instruct',
  'qwen3 coder 480b',
  'THUDM/glm-4',
  'mixtral8x7',
];

bench(`index of ${models.length} models`, () => void new CatalogueSearch(models));
for (const text of kTexts) {
  const strokes = Array.from(text, (_, index) => text.slice(0, index + 1));
  bench(`all ${strokes.length} key strokes of "${text}"`, () => strokes.forEach((typed) => search.find(typed)));
}
