// SPDX-License-Identifier: Apache-2.0
import { addMessages } from './i18n';

let isThere = false;

/** Words that the engine of the first answer does not need. */
export const engineTexts = async (): Promise<void> => {
  if (isThere) return;
  await addMessages({
    en: () => import('../messages/engines.en.json'),
    'zh-CN': () => import('../messages/engines.zh-CN.json'),
  });
  isThere = true;
};
