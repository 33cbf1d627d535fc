// SPDX-License-Identifier: Apache-2.0
// The pages of the site. Each has its HTML under its path, in English, and the same again under zh/.
import { currentLocale } from './i18n';

export type PageName = 'calculator' | 'reverse' | 'compare' | 'how' | 'accuracy' | 'embed';

/** Where a page lies below the root of its language. */
export const kPaths: Record<PageName, string> = {
  calculator: '',
  reverse: 'reverse/',
  compare: 'compare/',
  how: 'how/',
  accuracy: 'accuracy/',
  embed: 'embed/',
};

/** From page `from` to page `to` of the same language, as a relative address: the site may lie in any folder. */
export const linkTo = (from: PageName, to: PageName): string =>
  (kPaths[from].replaceAll(/[^/]+\//g, '../') || './') + kPaths[to];

/** From page `from` to itself in the other language. */
export function otherLanguage(from: PageName): string {
  const up = kPaths[from].replaceAll(/[^/]+\//g, '../');
  return currentLocale() === 'zh-CN' ? `${up}../${kPaths[from]}` : `${up || './'}zh/${kPaths[from]}`;
}
