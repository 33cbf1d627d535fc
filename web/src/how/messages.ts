// SPDX-License-Identifier: Apache-2.0
import type { MessageFiles } from '../i18n';

/** The texts of "How we count", which no other page loads. */
export const howMessages: MessageFiles = {
  en: () => import('../../messages/how.en.json'),
  'zh-CN': () => import('../../messages/how.zh-CN.json'),
};
