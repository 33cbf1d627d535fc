// SPDX-License-Identifier: Apache-2.0
// A small documentation site with answers in it: an example, and what the tests build. Its address of Weighbridge is made up; the tests put
// in their own.
import { defineConfig } from 'vitepress';

export default defineConfig({
  title: 'Running our models',
  description: 'An example of documentation with memory answers in it',
  head: [
    ['link', { rel: 'icon', href: '/favicon.svg' }],
    ['script', { src: 'https://weighbridge.example/embed.js', async: '' }],
  ],
  vue: { template: { compilerOptions: { isCustomElement: (tag) => tag === 'weighbridge-card' } } },
  themeConfig: {
    nav: [
      { text: 'Cards', link: '/' },
      { text: 'Frame', link: '/frame' },
    ],
  },
});
