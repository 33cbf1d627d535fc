// SPDX-License-Identifier: Apache-2.0
import type { MessageFiles } from './i18n';

/** The texts of the frame for other sites, which no other page loads. */
export const embedMessages: MessageFiles = {
  en: () => import('../messages/embed.en.json'),
  'zh-CN': () => import('../messages/embed.zh-CN.json'),
};
