// SPDX-License-Identifier: Apache-2.0
// Runs at build time, in node: asks the built WebAssembly core for the default answer and writes it into the pages as HTML.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderToString } from 'preact-render-to-string';
import createModule from '../../build/wasm/weighbridge.mjs';
import { coreOf, loadCatalogue, type Core } from './core/core';
import { t, useLocale, type Locale } from './i18n';
import { createStore, StoreProvider, type FirstAnswer } from './store';
import { App } from './views/App';
import { verdictTexts } from './views/verdict-texts';

const kRoot = process.cwd();
const kSite = join(kRoot, 'build/site');
const kPages: { locale: Locale; folder: string; base: string }[] = [
  { locale: 'en', folder: '', base: './' },
  { locale: 'zh-CN', folder: 'zh', base: '../' },
];

const readJson = (path: string) => JSON.parse(readFileSync(join(kRoot, path), 'utf8'));

function firstAnswer(core: Core): FirstAnswer {
  const link = core.call('share.decode', { hash: '' });
  const catalogue = core.call('catalogue', {});
  if (!link.ok || !catalogue.ok) throw new Error('the core does not know its default');
  const reply = core.call('estimate', link.result.request);
  if (!reply.ok) throw new Error(reply.error.message);
  return { answer: reply.result, warnings: reply.warnings, request: link.result.request, dataVersion: catalogue.result.data_version };
}

const escapeHtml = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');

const module = await createModule({ wasmBinary: readFileSync(join(kRoot, 'build/wasm/weighbridge.wasm')) });
const core = coreOf(module);
loadCatalogue(core, readJson('core/data/models.json'), readJson('core/data/gpus.json'));
const first = firstAnswer(core);
const template = readFileSync(join(kSite, 'index.html'), 'utf8');

for (const page of kPages) {
  await useLocale(page.locale);
  const store = createStore(first);
  const app = renderToString(
    <StoreProvider value={store}>
      <App />
    </StoreProvider>,
  );
  const headline = verdictTexts(first.answer, 'gib').headline;
  const html = template
    .replace('<html lang="en">', `<html lang="${page.locale}">`)
    .replace('<!--title-->', escapeHtml(`${headline} · ${t('brand')}`))
    .replace('<!--description-->', escapeHtml(t('page.description')))
    .replace('<!--alternates-->', kPages.map(({ locale, folder }) => `<link rel="alternate" hreflang="${locale}" href="./${folder && `${folder}/`}" />`).join('\n    '))
    .replace('<!--app-->', () => app)
    .replace('<!--first-->', () => JSON.stringify(first).replaceAll('<', '\\u003c'))
    .replaceAll('="./', `="${page.base}`);
  mkdirSync(join(kSite, page.folder), { recursive: true });
  writeFileSync(join(kSite, page.folder, 'index.html'), html);
}
console.log(`prerendered ${kPages.map((page) => `/${page.folder}`).join(' ')}`);
