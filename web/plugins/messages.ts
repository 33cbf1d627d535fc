// SPDX-License-Identifier: Apache-2.0
// Vite plugin: message files (ICU MessageFormat, one JSON object of id -> text per language) are compiled at build time, so that the page
// ships no parser. A message that does not parse fails the build with its id.
import { compileMessage } from '@lingui/message-utils/compileMessage';
import type { Plugin } from 'vite';

export function compiledMessages(): Plugin {
  return {
    name: 'compiled-messages',
    enforce: 'pre',
    transform(code, id) {
      if (!/\/messages\/[^/]+\.json$/.test(id)) return null;
      const texts = JSON.parse(code) as Record<string, string>;
      const compiled = Object.fromEntries(
        Object.entries(texts).map(([key, text]) => {
          try {
            return [key, compileMessage(text)];
          } catch (cause) {
            throw new Error(`message ${key}: ${String(cause)}`);
          }
        }),
      );
      return { code: `export default ${JSON.stringify(compiled)};`, moduleType: 'js', map: null };
    },
  };
}
