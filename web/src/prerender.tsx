// SPDX-License-Identifier: Apache-2.0
// Runs at build time, in node: asks the built WebAssembly core for the default answer and writes it into the pages as HTML.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ComponentType } from 'preact';
import { renderToString } from 'preact-render-to-string';
import createModule from '../../build/wasm/weighbridge-full.mjs';
import { Accuracy } from './accuracy/Accuracy';
import { accuracyMessages } from './accuracy/messages';
import type { Scoreboard } from './accuracy/scoreboard';
import { compareMessages } from './compare/messages';
import { createSides, SidesProvider } from './compare/sides';
import { coreOf, loadCatalogue, type Core } from './core/core';
import type { SpecFile } from './core/specs';
import type { Request } from './core/wire';
import { frameMessages } from './frame';
import { howData } from './how/data';
import { howMessages } from './how/messages';
import { t, useLocale, type Locale, type MessageFiles } from './i18n';
import { noticeTexts } from './notices';
import { reverseMessages } from './reverse/messages';
import { createMine, MineProvider } from './reverse/store';
import { kPaths, type PageName } from './site';
import { createStore, StoreProvider, useStore, type FirstAnswer } from './store';
import { Calculator } from './views/calculator/Calculator';
import { Compare } from './views/compare/Compare';
import { Embed } from './views/Embed';
import { How } from './views/how/How';
import { Reverse } from './views/reverse/Reverse';
import { verdictTexts } from './views/verdict-texts';

interface PageTexts {
  title: string;
  description: string;
}

/** What a page shows, what it calls itself to search engines and in a tab, and what only this page has. */
interface PageRecipe {
  view: ComponentType<{ data: never }>;
  texts: (first: FirstAnswer) => PageTexts;
  messages?: MessageFiles;
  /** The page does not show the first answer, only what it is about. */
  namesOnly?: true;
  /** Figures that are written into the page beside its HTML; fails the build where they do not hold. */
  data?: (core: Core, first: FirstAnswer) => unknown;
}

const ofTheAnswer = ({ answer }: FirstAnswer): PageTexts => ({
  title: verdictTexts(answer, 'gib').headline,
  description: t('page.description'),
});

/** Pages that the core answers for. */
type AskingPage = Exclude<PageName, 'accuracy'>;

const kPages: Record<AskingPage, PageRecipe> = {
  calculator: { view: Calculator, texts: ofTheAnswer },
  embed: { view: Embed, texts: ofTheAnswer, messages: frameMessages },
  reverse: {
    view: () => (
      <MineProvider value={createMine(useStore())}>
        <Reverse />
      </MineProvider>
    ),
    namesOnly: true,
    texts: () => ({ title: t('nav.reverse'), description: t('reverse.description') }),
    messages: reverseMessages,
  },
  compare: {
    view: () => (
      <SidesProvider value={createSides(useStore())}>
        <Compare />
      </SidesProvider>
    ),
    texts: () => ({ title: t('nav.compare'), description: t('compare.description') }),
    messages: compareMessages,
  },
  how: {
    view: How,
    namesOnly: true,
    texts: () => ({ title: t('nav.how'), description: t('how.description') }),
    messages: howMessages,
    data: (of, { answer }) => howData(of, answer),
  },
};

const kLanguages: { locale: Locale; folder: string }[] = [
  { locale: 'en', folder: '' },
  { locale: 'zh-CN', folder: 'zh/' },
];

const kRoot = process.cwd();
const kSite = join(kRoot, 'build/site');

const readJson = (path: string) => JSON.parse(readFileSync(join(kRoot, path), 'utf8'));
const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');

/** The link that spells out what an empty one asks for: a link that says no more than this needs no core. */
function defaultLink(core: Core, request: Request): string {
  const reply = core.call('share.encode', { request, complete: true });
  if (!reply.ok) throw new Error(reply.error.message);
  return reply.result.hash;
}

function firstAnswer(core: Core): FirstAnswer {
  const link = core.call('share.decode', { hash: '' });
  const catalogue = core.call('catalogue', {});
  if (!link.ok || !catalogue.ok) throw new Error('the core does not know its default');
  const reply = core.call('estimate', link.result.request);
  if (!reply.ok) throw new Error(reply.error.message);
  return {
    answer: reply.result,
    warnings: reply.warnings,
    request: link.result.request,
    dataVersion: catalogue.result.data_version,
  };
}

/** The address in each language of the page at `path`, relative to where the English one lies. */
const alternates = (path: string): string => {
  const up = path.replaceAll(/[^/]+\//g, '../') || './';
  return kLanguages
    .map(({ locale, folder }) => `<link rel="alternate" hreflang="${locale}" href="${up}${folder}${path}" />`)
    .join('\n    ');
};

/** A page of another language lies one folder deeper: relative addresses climb once more. */
const deepened = (html: string): string =>
  html.replaceAll(/(href|src)="(\.\.?\/)/g, (_, attribute, up) => `${attribute}="${up === './' ? '../' : '../../'}`);

/** Enough to name the setup, until the core has counted it. */
const withoutDevices = (first: FirstAnswer): FirstAnswer => ({
  ...first,
  answer: { ...first.answer, weights_formats: [], devices: [], groups: [] },
});

const asScript = (data: unknown): string => JSON.stringify(data).replaceAll('<', '\\u003c');

/** The template with its own head, and addresses as from where it will lie. */
function headed(template: string, locale: Locale, path: string, { title, description }: PageTexts): string {
  const head = template
    .replace('<html lang="en">', `<html lang="${locale}">`)
    .replace('<!--title-->', escapeHtml(`${title} · ${t('brand')}`))
    .replace('<!--description-->', escapeHtml(description))
    .replace('<!--alternates-->', alternates(path))
    .replaceAll('rel="stylesheet" crossorigin', 'rel="stylesheet"'); // else a sandboxed frame needs the server's leave for it
  return locale === 'en' ? head : deepened(head);
}

function fill(template: string, locale: Locale, page: AskingPage, first: FirstAnswer, data: unknown): string {
  const { view: View, texts } = kPages[page];
  const app = renderToString(
    <StoreProvider value={createStore(first)}>
      <View data={data as never} />
    </StoreProvider>,
  );
  return headed(template, locale, kPaths[page], texts(first))
    .replace('<!--default-->', escapeHtml(defaultLink(core, first.request)))
    .replace('<!--app-->', () => app)
    .replace('<!--first-->', () => asScript(kPages[page].namesOnly ? withoutDevices(first) : first))
    .replace('<!--data-->', () => asScript(data));
}

/** Writes the page at `path` in every language. */
async function writePage(
  path: string,
  messages: MessageFiles | undefined,
  html: (template: string, locale: Locale) => string,
) {
  const template = readFileSync(join(kSite, path, 'index.html'), 'utf8');
  for (const { locale, folder } of kLanguages) {
    await useLocale(locale, messages);
    await noticeTexts();
    const target = join(kSite, folder, path, 'index.html');
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, html(template, locale));
    console.log(`prerendered /${folder}${path}`);
  }
}

const module = await createModule({ wasmBinary: readFileSync(join(kRoot, 'build/wasm/weighbridge-full.wasm')) });
loadCatalogue(module, readJson('build/catalogue/models.json'), readJson('build/catalogue/devices.json'));
const core = coreOf(module, {
  fetchSpecs: () => Promise.resolve(readJson('build/catalogue/specs.json') as unknown as SpecFile),
  fetchDevices: () => Promise.resolve(() => undefined), // it has them
  loadFull: () => Promise.resolve(module),
});
await core.bringSpecs();
const first = firstAnswer(core);

for (const page of Object.keys(kPages) as AskingPage[]) {
  const data = kPages[page].data?.(core, first);
  await writePage(kPaths[page], kPages[page].messages, (template, locale) => fill(template, locale, page, first, data));
}

const board: Scoreboard = readJson('tests/truth/scoreboard.json');
await writePage(kPaths.accuracy, accuracyMessages, (template, locale) =>
  headed(template, locale, kPaths.accuracy, {
    title: t('accuracy.title'),
    description: t('accuracy.description'),
  }).replace('<!--app-->', () => renderToString(<Accuracy board={board} />)),
);
