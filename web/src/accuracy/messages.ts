// SPDX-License-Identifier: Apache-2.0
import type { MessageFiles } from '../i18n';

/** The texts of "How accurate", which no other page loads. */
export const accuracyMessages: MessageFiles = {
  en: () => import('../../messages/accuracy.en.json'),
  'zh-CN': () => import('../../messages/accuracy.zh-CN.json'),
};
