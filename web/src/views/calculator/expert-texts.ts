// SPDX-License-Identifier: Apache-2.0
import { addMessages } from '../../i18n';

/** Words of the expert settings, which come when one of them is shown. */
export const expertTexts = (): Promise<void> =>
  addMessages({
    en: () => import('../../../messages/expert.en.json'),
    'zh-CN': () => import('../../../messages/expert.zh-CN.json'),
  });
