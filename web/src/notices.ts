// SPDX-License-Identifier: Apache-2.0
// Sentences about bad input come from the core in English, with their values; other languages say the same from code and values.
import type { Notice } from './core/wire';
import { currentLocale, isMessage, t, type MessageId } from './i18n';

/** Parts of sentences that the core writes in English, by their shape. */
const kPhrases: [RegExp, MessageId][] = [
  [/^a whole number from (.+) to (.+)$/, 'phrase.wholeNumber'],
  [/^whole numbers from (.+) to (.+)$/, 'phrase.wholeNumber'],
  [/^a number above 0, up to (.+)$/, 'phrase.fraction'],
  [/^one of (.+)$/, 'phrase.oneOf'],
  [/^a multiple of tensor parallel (\S+)$/, 'phrase.multipleOfTensor'],
  [/^a multiple of (\S+), (.+)$/, 'phrase.multipleOf'],
  [/^at most (\S+), (.+)$/, 'phrase.atMostKey'],
  [/^at most (.+)$/, 'phrase.atMost'],
];

function phrase(text: string): string {
  for (const [shape, id] of kPhrases) {
    const match = shape.exec(text);
    if (match) return t(id, { a: match[1] ?? '', b: match[2] ?? '' });
  }
  return text;
}

export function sayNotice(notice: Notice): string {
  const id = `notice.${notice.code}`;
  const isOurs = notice.where === 'file' || notice.where === 'link.c';
  if ((currentLocale() === 'en' && !isOurs) || !isMessage(id)) return notice.message;
  const { key, value, expected } = notice.values;
  return t(id, { key, value, expected: phrase(expected) });
}

export type Field = 'model' | 'weights' | 'context' | 'sequences' | 'hardware' | 'engine' | 'expert';

const kFields: [string, Field][] = [
  ['params.model', 'model'],
  ['params.config', 'model'],
  ['params.text', 'model'],
  ['file', 'model'],
  ['link.m', 'model'],
  ['link.c', 'model'],
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
  const under = kFields.find(([where]) => where.startsWith('params') && notice.where.startsWith(where));
  return (exact ?? under)?.[1] ?? 'expert';
}
