// SPDX-License-Identifier: Apache-2.0
import { setupI18n, type I18n, type Messages } from '@lingui/core';
import { signal } from '@preact/signals';
import type accuracyEnglish from '../messages/accuracy.en.json';
import type adviceEnglish from '../messages/advice.en.json';
import type english from '../messages/en.json';
import type compareEnglish from '../messages/compare.en.json';
import type devicesEnglish from '../messages/devices.en.json';
import type elsewhereEnglish from '../messages/elsewhere.en.json';
import type embedEnglish from '../messages/embed.en.json';
import type enginesEnglish from '../messages/engines.en.json';
import type expertEnglish from '../messages/expert.en.json';
import type howEnglish from '../messages/how.en.json';
import type mathEnglish from '../messages/math.en.json';
import type readEnglish from '../messages/read.en.json';
import type reverseEnglish from '../messages/reverse.en.json';
import type speedEnglish from '../messages/speed.en.json';

export type MessageId =
  | keyof typeof english
  | keyof typeof accuracyEnglish
  | keyof typeof adviceEnglish
  | keyof typeof compareEnglish
  | keyof typeof devicesEnglish
  | keyof typeof elsewhereEnglish
  | keyof typeof embedEnglish
  | keyof typeof enginesEnglish
  | keyof typeof expertEnglish
  | keyof typeof howEnglish
  | keyof typeof mathEnglish
  | keyof typeof readEnglish
  | keyof typeof reverseEnglish
  | keyof typeof speedEnglish;
export type Locale = 'en' | 'zh-CN';
export type Values = Record<string, string | number>;

/** A file of messages for each language. */
export type MessageFiles = Record<Locale, () => Promise<{ default: unknown }>>;

const kCommon: MessageFiles = {
  en: () => import('../messages/en.json'),
  'zh-CN': () => import('../messages/zh-CN.json'),
};

/** Counts the groups of texts that arrived later: what was said without them is said again. */
const arrived = signal(0);

const has = (id: string): id is MessageId => arrived.value >= 0 && id in translator.messages;

export const translator: I18n = setupI18n();

/** Loads one language and makes it the page's own; `own` are the texts that only this page has. */
export async function useLocale(locale: Locale, own?: MessageFiles): Promise<void> {
  const files = await Promise.all([kCommon[locale](), own?.[locale]()]);
  const messages = Object.assign({}, ...files.map((file) => file?.default)) as Messages;
  translator.loadAndActivate({ locale, messages });
}

/** Adds texts that are needed only now. */
export async function addMessages(files: MessageFiles): Promise<void> {
  const locale = currentLocale();
  translator.load(locale, (await files[locale]()).default as Messages);
  arrived.value += 1;
}

export const currentLocale = (): Locale => (translator.locale === 'zh-CN' ? 'zh-CN' : 'en');

export function t(id: MessageId, values?: Values): string {
  void arrived.value;
  return translator._(id, values);
}

/** One after the other; Chinese has its space in the full stop. */
export const sentences = (...texts: string[]): string =>
  texts.filter(Boolean).join(currentLocale() === 'zh-CN' ? '' : ' ');

/** A heading and what stands under it, as one text that is read aloud. */
export const spoken = (heading: string, text: string): string =>
  `${heading}${currentLocale() === 'zh-CN' ? '。' : '. '}${text}`;

/** A message that not every language has, or nothing: English takes the core's own sentences as they are. */
export const translated = (id: string, values: Values): string | undefined =>
  has(id) ? translator._(id, values) : undefined;

/** A message whose id is built from a code of the core; codes that have no text yet are shown as they are. */
export function tCode(prefix: string, code: string, values?: Values): string {
  const id = `${prefix}.${code}`;
  return has(id) ? t(id, values) : code.replaceAll('_', ' ');
}
