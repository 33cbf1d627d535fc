// SPDX-License-Identifier: Apache-2.0
// What the first view of each page costs, compressed, against its budget: the HTML, what it names, the scripts those import, the texts
// of its language, the core and the catalogue. Exits with 1 if a budget is broken.
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';

const kSite = resolve('build/site');
const kShared = { css: 12_000, wasm: 120_000, json: 33_000 };
/** Path below the root of a language -> budgets in bytes. */
const kPages = {
  '': { html: 10_000, js: 45_000, ...kShared, all: 220_000 },
  'how/': { html: 14_336, js: 50_000, ...kShared, all: 230_000 },
};
const kLocales = { en: '', 'zh-CN': 'zh/' };

const size = (path) => gzipSync(readFileSync(path), { level: 9 }).length;
const core = readdirSync(join(kSite, 'assets'))
  .filter((name) => /\.(wasm|json)$/.test(name))
  .map((name) => join(kSite, 'assets', name));

/** Scripts that a script names; of texts, those of one language. */
function imports(path, locale) {
  const named = [...readFileSync(path, 'utf8').matchAll(/["'`](\.\/[\w.-]+\.js)["'`]/g)].map(([, name]) =>
    join(dirname(path), name),
  );
  return named.filter((name) =>
    Object.keys(kLocales).every((other) => other === locale || !new RegExp(`[/.]${other}-[^/]*$`).test(name)),
  );
}

function filesOf(html, locale) {
  const named = [...readFileSync(html, 'utf8').matchAll(/(?:src|href)="([^"]+\.(?:js|css))"/g)].map(([, name]) =>
    resolve(dirname(html), name),
  );
  const files = new Set([html, ...named, ...core]);
  for (const path of files) if (path.endsWith('.js')) for (const name of imports(path, locale)) files.add(name);
  return [...files];
}

let broken = false;
function report(kind, bytes, budget) {
  const isOver = bytes === 0 || bytes > budget;
  broken ||= isOver;
  console.log(
    `  ${kind.padEnd(5)}${String(bytes).padStart(8)} of ${String(budget).padStart(7)} bytes${isOver ? '  over budget, or missing' : ''}`,
  );
}

for (const [page, budgets] of Object.entries(kPages))
  for (const [locale, folder] of Object.entries(kLocales)) {
    const files = filesOf(join(kSite, folder, page, 'index.html'), locale);
    console.log(`/${folder}${page}`);
    for (const [kind, budget] of Object.entries(budgets)) {
      const counted = kind === 'all' ? files : files.filter((path) => path.endsWith(`.${kind}`));
      report(
        kind,
        counted.reduce((sum, path) => sum + size(path), 0),
        budget,
      );
    }
  }
process.exit(broken ? 1 : 0);
