// SPDX-License-Identifier: Apache-2.0
// What the first view of each page costs, compressed, against its budget. Exits with 1 if a budget is broken.
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const kSite = 'build/site';
const kBudgets = { html: 10_000, js: 45_000, css: 12_000, wasm: 120_000, json: 33_000 };
const kAll = 220_000;

const size = (path) => gzipSync(readFileSync(path), { level: 9 }).length;
const assets = readdirSync(join(kSite, 'assets')).map((name) => join(kSite, 'assets', name));
let broken = false;

for (const [page, locale] of [['index.html', 'en'], ['zh/index.html', 'zh-CN']]) {
  const isOther = (path) => /\/(en|zh-CN)-[^/]*\.js$/.test(path) && !path.includes(`/${locale}-`);
  const files = [join(kSite, page), join(kSite, 'boot.js'), ...assets.filter((path) => !isOther(path))];
  let all = 0;
  console.log(`/${page.replace('index.html', '')}`);
  for (const [kind, budget] of Object.entries(kBudgets)) {
    const bytes = files.filter((path) => path.endsWith(`.${kind}`)).reduce((sum, path) => sum + size(path), 0);
    all += bytes;
    const isOver = bytes === 0 || bytes > budget;
    broken ||= isOver;
    console.log(`  ${kind.padEnd(5)}${String(bytes).padStart(8)} of ${String(budget).padStart(7)} bytes${isOver ? '  over budget, or missing' : ''}`);
  }
  broken ||= all > kAll;
  console.log(`  ${'all'.padEnd(5)}${String(all).padStart(8)} of ${String(kAll).padStart(7)} bytes${all > kAll ? '  over budget' : ''}`);
}
process.exit(broken ? 1 : 0);
