// SPDX-License-Identifier: Apache-2.0
import type { MessageFiles } from '../i18n';

/** The texts of "Compare", which no other page loads. */
export const compareMessages: MessageFiles = {
  en: () => import('../../messages/compare.en.json'),
  'zh-CN': () => import('../../messages/compare.zh-CN.json'),
};
