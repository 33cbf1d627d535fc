// SPDX-License-Identifier: Apache-2.0
// What the first view of each page costs, compressed, against its budget. Exits with 1 if a budget is broken.
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';

const kSite = 'build/site';
// The module counts every kind of layer there is and every layout of vLLM; the list of models and devices takes less than half of what data may,
// so that all together stay below.
const kPage = { html: 10_000, js: 45_000, css: 12_000, wasm: 120_000, json: 16_000, all: 198_000 };
const kCompare = { ...kPage, js: 50_000, all: 203_000 }; // the calculator once more, with what holds setups against each other
const kFrame = { ...kPage, js: 43_000, css: 7_000, all: 190_000 }; // a frame has no form
// Ten segments of a first answer hold 14,600 bytes.
const kText = { ...kPage, html: 14_600, js: 54_000, all: 213_000 }; // a long text, in a file of its own once more for its script
// Page, language, budgets, and the name of texts that only this page has.
const kPages = [
  ['index.html', 'en', kPage],
  ['zh/index.html', 'zh-CN', kPage],
  ['embed/index.html', 'en', kFrame, 'embed'],
  ['zh/embed/index.html', 'zh-CN', kFrame, 'embed'],
  ['compare/index.html', 'en', kCompare, 'compare'],
  ['zh/compare/index.html', 'zh-CN', kCompare, 'compare'],
  ['reverse/index.html', 'en', kPage, 'reverse'],
  ['zh/reverse/index.html', 'zh-CN', kPage, 'reverse'],
  ['how/index.html', 'en', kText, 'how'],
  ['zh/how/index.html', 'zh-CN', kText, 'how'],
];
const kElement = 2_000; // embed.js, which other sites load into their own pages

const size = (path) => gzipSync(readFileSync(path), { level: 9 }).length;
const assets = readdirSync(join(kSite, 'assets')).map((name) => join(kSite, 'assets', name));
let broken = false;

function hold(name, bytes, budget) {
  const isOver = bytes === 0 || bytes > budget;
  broken ||= isOver;
  const verdict = isOver ? '  over budget, or missing' : '';
  console.log(`  ${name.padEnd(8)}${String(bytes).padStart(8)} of ${String(budget).padStart(7)} bytes${verdict}`);
}

/** Scripts and styles that the HTML names (Vite lists there what a module imports), the page's texts, the core and its data. */
function filesOf(page, locale, own) {
  const html = readFileSync(join(kSite, page), 'utf8');
  const named = [...html.matchAll(/(?:src|href)="([^"#:]+\.(?:js|css))"/g)].map(([, address]) =>
    join(kSite, dirname(page), address),
  );
  const isOwn = (path) => path.includes(`/${own}-page-`); // brought by a script that pages share
  const isText = (path) => path.includes(`/${locale}-`) || path.includes(`/${own}.${locale}-`);
  const brought = assets.filter(
    (path) =>
      isText(path) ||
      isOwn(path) ||
      (/\.(wasm|json)$/.test(path) &&
        !/\/(weighbridge-full|weighbridge-read|specs|devices|facts|listed|machines)-/.test(path)),
  );
  return [...new Set([join(kSite, page), ...named, ...brought])];
}

for (const [page, locale, budgets, own] of kPages) {
  const files = filesOf(page, locale, own);
  const sum = (kind) =>
    files.filter((path) => kind === 'all' || path.endsWith(`.${kind}`)).reduce((bytes, path) => bytes + size(path), 0);
  console.log(`/${page.replace('index.html', '')}`);
  for (const [kind, budget] of Object.entries(budgets)) hold(kind, sum(kind), budget);
}
console.log('/accuracy/, without a script');
for (const page of ['accuracy/index.html', 'zh/accuracy/index.html']) hold('html', size(join(kSite, page)), kPage.html);
console.log('for other sites');
hold('embed.js', size(join(kSite, 'embed.js')), kElement);
process.exit(broken ? 1 : 0);
