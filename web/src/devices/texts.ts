// SPDX-License-Identifier: Apache-2.0
import { addMessages } from '../i18n';

/** The words for kinds of devices, machines and their figures, which the first view does without. */
export const deviceTexts = (): Promise<void> =>
  addMessages({
    en: () => import('../../messages/devices.en.json'),
    'zh-CN': () => import('../../messages/devices.zh-CN.json'),
  });
