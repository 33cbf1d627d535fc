// SPDX-License-Identifier: Apache-2.0
import { fileURLToPath } from 'node:url';
import preact from '@preact/preset-vite';
import { defineConfig } from 'vitest/config';
import { commonHead } from './plugins/head.ts';
import { compiledMessages } from './plugins/messages.ts';

const page = (path: string): string => fileURLToPath(new URL(`${path}index.html`, import.meta.url));

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  base: './', // the site also works from a sub-folder, as on GitHub Pages
  plugins: [commonHead(), compiledMessages(), preact()],
  build: {
    outDir: '../build/site',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0, // inlined data would need a wider Content-Security-Policy
    rollupOptions: {
      input: {
        calculator: page(''),
        compare: page('compare/'),
        embed: page('embed/'),
        how: page('how/'),
        reverse: page('reverse/'),
        accuracy: page('accuracy/'),
      },
      output: {
        codeSplitting: {
          // One file for what pages share: several small ones compress worse, by 1.4 kB on the calculator. What reads and searches models
          // and devices is shared only by parts that come when they are used.
          groups: [
            {
              name: 'shared',
              test: /^(?!.*\/(src\/(advice|compare|devices|elsewhere|pages|reader|search|speed|verdict|views\/calculator)|minisearch)\/).*\.m?[jt]sx?$/,
              minShareCount: 2,
            },
          ],
        },
      },
    },
    modulePreload: { polyfill: false },
  },
  worker: { format: 'es' },
  server: { fs: { allow: ['..'] } },
  test: {
    include: ['../tests/web/**/*.test.{ts,tsx}'],
    testTimeout: 30_000,
    maxWorkers: 2,
    benchmark: { include: ['../tests/web/**/*.bench.ts'] },
  }, // some start the native program for each answer
});
