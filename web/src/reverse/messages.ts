// SPDX-License-Identifier: Apache-2.0
import { engineTexts } from '../engine-texts';
import { addMessages, type MessageFiles } from '../i18n';

/** The texts of "What can my GPU run?", which no other page loads. */
export const reverseMessages: MessageFiles = {
  en: () => import('../../messages/reverse.en.json'),
  'zh-CN': () => import('../../messages/reverse.zh-CN.json'),
};

/** The words of rules that refuse a model, and of kinds of models. */
export const laterTexts = (): Promise<unknown> =>
  Promise.all([
    engineTexts(),
    addMessages({
      en: () => import('../../messages/read.en.json'),
      'zh-CN': () => import('../../messages/read.zh-CN.json'),
    }),
  ]);
