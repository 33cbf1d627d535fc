// SPDX-License-Identifier: Apache-2.0
// Sentences about bad input come from the core in English, with their values; other languages say the same from code and values.
import type { Notice } from './core/wire';
import { addMessages, currentLocale, translated } from './i18n';

let texts: Promise<void> | undefined;

/** The words for notices, which come when there is something to say. English has the core's own. */
export function noticeTexts(): Promise<void> {
  if (currentLocale() === 'en') return Promise.resolve();
  texts ??= addMessages({
    en: () => import('../messages/notices.en.json'),
    'zh-CN': () => import('../messages/notices.zh-CN.json'),
  }).catch(() => {
    texts = undefined; // asked for again, they may come; until then the core's sentence stands
  });
  return texts;
}

/** Parts of sentences that the core writes in English, by their shape; the more particular first. */
const kPhrases: [RegExp, string][] = [
  [/^(?:a )?whole numbers? from (\S+) to (\S+)$/, 'wholeNumber'],
  [/^(\S+) to (\S+) tokens; (\S+) were counted$/, 'countedTokens'],
  [/^(\S+) to (\S+) requests; (\S+) were counted$/, 'countedRequests'],
  [/^(\d[\d,]*) to (\d[\d,]*)$/, 'range'],
  [/^a number above 0, up to (.+)$/, 'fraction'],
  [/^one of (.+), or memory_bytes$/, 'oneOfOrMemory'],
  [/^one of (.+), or a config.json$/, 'oneOfOrConfig'],
  [/^one of (.+); (.+) was counted$/, 'countedOneOf'],
  [/^one of (.+)$/, 'oneOf'],
  [/^a model of the catalogue; (.+) was counted$/, 'catalogueModel'],
  [/^a GPU of the catalogue, or its memory/, 'catalogueDevice'],
  [/^a multiple of tensor parallel (\S+) in whole blocks of (\S+)$/, 'multipleOfTensorBlocks'],
  [/^a multiple of tensor parallel (\S+), or a divisor of it$/, 'multipleOfTensorOrDivisor'],
  [/^a multiple of tensor parallel (\S+)$/, 'multipleOfTensor'],
  [/^a multiple of (\S+)$/, 'multiple'],
  [/^a multiple of (\S+), (.+), or a head_dim$/, 'multipleOfOrHeadDim'],
  [/^a multiple of (\S+), (.+)$/, 'multipleOf'],
  [/^at most (\S+), (.+)$/, 'atMostKey'],
  [/^at most (.+)$/, 'atMost'],
  [/^at least (\w+), (.+)$/, 'atLeastKey'],
  [/^line (\d+), column (\d+)$/, 'place'],
  [/^each key once; the last one counts$/, 'onceEach'],
  [/^one kind of GPU$/, 'oneKind'],
  [/^at least one (?:GPU|device)$/, 'oneGpu'],
  [/^tensor parallel over all GPUs$/, 'tensorOnly'],
  [/^true or false$/, 'flag'],
  [/^a text$/, 'text'],
  [/^The system memory$/, 'systemMemory'],
  [/^context$/, 'findContext'],
  [/^sequences$/, 'findSequences'],
  [/^cache_type$/, 'findCacheType'],
  [/^devices$/, 'findDevices'],
  [/^gpu_layers$/, 'findGpuLayers'],
  [/^cpu_moe_layers$/, 'findExpertLayers'],
  [/^an object\b/, 'object'],
  [/^same as attention heads$/, 'sameHeads'],
  [/^the sizes of a real model$/, 'realSizes'],
  [/^most checkpoints are$/, 'mostCheckpoints'],
  [/^GPUs of one backend$/, 'oneBackend'],
  [/^a setting that the engine/, 'knownSetting'],
  [/^more GPU memory$/, 'moreMemory'],
  [/^(\S+) or newer$/, 'orNewer'],
  [/^flash_attn on or auto, or (.+)$/, 'flashOr'],
  [/^(\w+) or (\w+)$/, 'either'],
  [/^(\w+), (\w+) or (\w+)$/, 'eitherOfThree'],
];

/** A long list of the core ends in "a, b and 40 more in `catalogue`". */
const list = (names: string): string =>
  names.replace(
    / and (\d+) more in `catalogue`/,
    (english, rest: string) => translated('phrase.more', { a: rest }) ?? english,
  );

function phrase(text: string): string {
  for (const [shape, id] of kPhrases) {
    const match = shape.exec(text);
    if (match)
      return translated(`phrase.${id}`, { a: list(match[1] ?? ''), b: match[2] ?? '', c: match[3] ?? '' }) ?? text;
  }
  return text;
}

/** The sentence of a notice in the page's language; in English it is the core's own, or the page's where the page noticed it. */
export function sayNotice(notice: Notice): string {
  void noticeTexts();
  const { where, code, message } = notice;
  const { key, value, expected } = notice.values;
  // What a solver cannot look for is a name of the wire, not a value that someone set.
  const isSought = where === 'params.find' && code === 'unsupported';
  const place = isSought ? 'find.' : where.startsWith('files') ? 'files.' : '';
  const said = { key: phrase(key), value: isSought ? phrase(value) : value, expected: phrase(expected) };
  return translated(`notice.${place}${code}`, said) ?? message;
}

export type Field = 'model' | 'weights' | 'context' | 'sequences' | 'hardware' | 'engine' | 'expert';

const kFields: [string, Field][] = [
  ['params.model', 'model'],
  ['params.config', 'model'],
  ['params.text', 'model'],
  ['config', 'model'], // of files that were read together
  ['file', 'model'], // what the page says of a file; `files` is what the reader says
  ['link.m', 'model'],
  ['link.c', 'model'],
  ['link.hf', 'model'],
  ['params.weights', 'weights'],
  ['link.w', 'weights'],
  ['params.workload.context_tokens', 'context'],
  ['link.ctx', 'context'],
  ['params.workload.sequences', 'sequences'],
  ['link.n', 'sequences'],
  ['params.hardware', 'hardware'],
  ['link.g', 'hardware'],
  ['params.engine.name', 'engine'],
  ['link.e', 'engine'],
];

/** The field of the form that a notice is about. */
export function fieldOf(notice: Notice): Field {
  const exact = kFields.find(([where]) => notice.where === where);
  const under = kFields.find(([where]) => /^(params|file|config)/.test(where) && notice.where.startsWith(where));
  return (exact ?? under)?.[1] ?? 'expert';
}
