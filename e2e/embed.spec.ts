// SPDX-License-Identifier: Apache-2.0
// /embed/ by itself: what it shows for a link, what it says where it cannot, and that the full page opens with the same settings.
import { deflateRawSync } from 'node:zlib';
import type { Page } from '@playwright/test';
import { axe, expect, fixture, headline, open, test, verdict } from './page';

const kTags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
/** A link with a model of one's own, and a context beyond it: the core refuses. */
function tooLong(): string {
  const config = { ...JSON.parse(fixture('deepseek-r1.config.json')), max_position_embeddings: 4096 };
  return `#c=z${deflateRawSync(JSON.stringify(config)).toString('base64url')}&ctx=8k`;
}
const kStates: [string, string][] = [
  ['default', ''],
  ['only the bars', '#view=bar&m=deepseek-v3'],
  ['everything', '#view=full&n=4'],
  ['does not fit', '#m=deepseek-r1&w=bf16'],
  ['cannot run', '#g=6xh200'],
  ['link with faults', '#m=gpt-9&g=8xh300&view=poster&foo=3&ctx=9999999'],
  ['no answer', tooLong()],
];

type View = [width: number, scheme: 'light' | 'dark'];
const kWide: View = [700, 'light'];
const kNarrow: View = [390, 'dark'];
const kLeast: View = [240, 'light'];

const change = (page: Page) => page.getByRole('link', { name: /^(Change settings|修改设置)/ });
const tooWide = (page: Page): Promise<number> =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

for (const path of ['embed/', 'zh/embed/'])
  for (const [state, hash] of kStates)
    test(`axe and width: ${path}, ${state}`, async ({ page }) => {
      for (const [width, scheme] of [path === 'embed/' ? kWide : kNarrow, kLeast]) {
        await page.setViewportSize({ width, height: 600 });
        await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
        await page.goto('about:blank');
        await open(page, path + hash);
        await expect(change(page)).toBeVisible();
        for (const button of await page.locator('.math-button').all()) await button.click();
        for (const cell of await page.locator('.math-cell').all())
          await expect(cell.locator('.math').first()).toBeVisible();
        // What axe finds hardly depends on the language, and takes seconds.
        if (path === 'embed/' ? width !== 240 : width !== 240 && state === 'everything') {
          const { violations } = await axe(page).withTags(kTags).analyze();
          expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([]);
        }
        expect(await tooWide(page)).toBe(0);
      }
    });

test('verdict, bar, three facts, and the same settings on the full page', async ({ page }) => {
  await open(page, 'embed/#v=1&m=deepseek-v3&n=4&th=dark&id=x&view=card');
  await expect(headline(page)).toHaveText('DeepSeek-V3 fits on 8 × H200');
  await expect(page.locator('.facts > div')).toHaveCount(3);
  await expect(page.locator('.bar-fill')).toBeVisible();
  await expect(page.locator('.table')).toHaveCount(0);
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  const facts = await page.locator('.facts dd').allTextContents();
  const [full] = await Promise.all([page.waitForEvent('popup'), change(page).click()]);
  await expect(full).toHaveURL(/\/#v=1&m=deepseek-v3&n=4$/);
  await expect(headline(full)).toHaveText('DeepSeek-V3 fits on 8 × H200');
  await expect.poll(() => full.locator('.facts dd').allTextContents()).toEqual(facts);
  expect(new URL(full.url()).pathname).toBe('/');
});

test('the Chinese frame opens the Chinese page', async ({ page }) => {
  await open(page, 'zh/embed/#m=deepseek-v3');
  await expect(headline(page)).toContainText('DeepSeek-V3');
  const [full] = await Promise.all([page.waitForEvent('popup'), change(page).click()]);
  await expect(full).toHaveURL(/\/zh\/#v=1&m=deepseek-v3$/);
});

test('views: bar shows no facts, full opens the table and its math', async ({ page }) => {
  await open(page, 'embed/#view=bar');
  await expect(page.locator('.facts')).toBeHidden();
  await expect(page.locator('.bar-fill')).toBeVisible();
  await page.goto('about:blank');
  await open(page, 'embed/#view=full');
  await page.getByRole('button', { name: 'Show the math: KV cache' }).click();
  await expect(page.locator('.math-kv')).toContainText('36,842,766,336');
});

test('a frame loads no form', async ({ page }) => {
  const loaded: string[] = [];
  page.on('request', (request) => loaded.push(new URL(request.url()).pathname));
  await open(page, 'embed/#view=full&m=deepseek-v3');
  expect(loaded.filter((path) => path.includes('calculator'))).toEqual([]);
});

for (const [hash, sentence] of [
  ['#m=gpt-9', /gpt-9.*deepseek-ai\/DeepSeek-R1 was counted/],
  ['#g=8xh300', /h300/],
  ['#ctx=9999999', /9999999.*163,840/],
  ['#c=zdamaged', /damaged/],
  ['#view=poster', /poster.*card, bar, full/],
  ['#model=deepseek-v3', /model=deepseek-v3/],
  ['#%E0%A4%A', /setting/],
] as const)
  test(`a link with ${hash} is answered as far as it goes, and says so`, async ({ page }) => {
    await open(page, `embed/${hash}`);
    await expect(page.locator('.notice.warn:visible')).toContainText(sentence);
    await expect(headline(page)).toContainText('DeepSeek-R1');
    await expect(page.locator('.notice.warn:visible a, .notice.warn:visible button')).toHaveCount(0);
  });

test('settings without an answer show the reason, and no answer to something else', async ({ page }) => {
  await open(page, `embed/${tooLong()}`);
  await expect(page.locator('.notice.bad')).toContainText('context_tokens');
  await expect(verdict(page)).toHaveCount(0);
});

test('hostile text creates nothing', async ({ page }) => {
  for (const key of ['m', 'g', 'view', 'th', 'id', 'x']) {
    await page.goto('about:blank');
    await open(page, `embed/#${key}=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E`);
    await expect(page.locator('img')).toHaveCount(0);
  }
});

test('another # is another answer', async ({ page }) => {
  await open(page, 'embed/#m=deepseek-v3');
  await page.evaluate(() => (location.hash = '#m=deepseek-r1&w=bf16&view=full'));
  await expect(headline(page)).toHaveText('DeepSeek-R1 does not fit on 8 × H200');
  await expect(page.locator('.table')).toBeVisible();
});

test('without scripts the stored answer stands there, and says whose it is', async ({ browser, baseURL }) => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  for (const [path, sentence] of [
    ['embed/#m=deepseek-v3', /Scripts do not run in this frame/],
    ['zh/embed/', /不运行脚本/],
  ] as const) {
    await page.goto(`${baseURL}${path}`);
    await expect(page.locator('.no-script')).toHaveText(sentence);
    await expect(headline(page)).toContainText('DeepSeek-R1');
  }
  await context.close();
});

test.describe('where the core cannot be had', () => {
  test.use({ allow: /did not load|no native wasm|404|Failed to load resource/ });
  const trouble = (page: Page) => page.locator('.trouble');
  const kCases: [string, RegExp, (page: Page) => Promise<unknown>][] = [
    [
      'no WebAssembly',
      /blocks WebAssembly/,
      (page) => page.addInitScript(() => Object.defineProperty(globalThis, 'WebAssembly', { value: undefined })),
    ],
    [
      'a missing data file',
      /part of the page did not load/,
      (page) => page.route('**/models-*.json', (route) => route.fulfill({ status: 404 })),
    ],
    [
      'a missing language',
      /part of the page did not load/,
      (page) => page.route('**/en-*.js', (route) => route.fulfill({ status: 404 })),
    ],
    [
      'a blocked module',
      /script that counts did not load/,
      (page) => page.route('**/assets/embed-*.js', (route) => route.fulfill({ status: 404 })),
    ],
    [
      'a blocked part of the module',
      /script that counts did not load/,
      (page) => page.route('**/assets/shared-*.js', (route) => route.fulfill({ status: 404 })),
    ],
  ];
  for (const [name, sentence, bring] of kCases)
    test(`${name}: one sentence and the way out, at 240 px too; the default keeps its stored answer`, async ({
      page,
    }) => {
      await bring(page);
      await page.setViewportSize({ width: 240, height: 400 });
      await page.goto('embed/#m=deepseek-v3&n=4&view=card');
      await expect(trouble(page)).toContainText(sentence);
      await expect(trouble(page).locator('p:visible')).toHaveCount(2);
      await expect(verdict(page)).toBeHidden();
      await expect(page.locator('.wait')).toBeHidden();
      expect(await tooWide(page)).toBe(0);
      for (const link of [trouble(page).getByRole('link'), change(page)])
        await expect(link).toHaveAttribute('href', /\/#m=deepseek-v3&n=4$/);
      await page.goto('about:blank');
      await page.goto('embed/#m=deepseek-r1&g=8xh200&ctx=32k');
      await expect(page.locator('html')).toHaveAttribute('data-trouble');
      await expect(headline(page)).toHaveText('DeepSeek-R1 fits on 8 × H200');
      await expect(verdict(page)).toBeVisible();
      await expect(trouble(page)).toBeHidden();
      await page.evaluate(() => (location.hash = '#m=deepseek-v3'));
      await expect(trouble(page)).toContainText(sentence);
      await expect(verdict(page)).toBeHidden();
    });
});

test('a module that never arrives is waited for, not for ever; one that comes late still answers', async ({ page }) => {
  let arrive = (): void => undefined;
  const arrived = new Promise<void>((done) => (arrive = done));
  await page.route('**/assets/embed-*.js', async (route) => {
    await arrived;
    await route.continue();
  });
  await page.clock.install();
  await page.goto('embed/#m=deepseek-v3', { waitUntil: 'commit' });
  await expect(page.locator('.wait')).toBeVisible();
  await expect(verdict(page)).toBeHidden();
  await page.clock.fastForward(10_000);
  await expect(page.locator('.trouble')).toContainText('script that counts did not load');
  arrive();
  await expect(headline(page)).toHaveText('DeepSeek-V3 fits on 8 × H200');
  await expect(page.locator('.trouble')).toBeHidden();
});

test('the Share menu copies the code of a frame with these settings', async ({ page, context }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  for (const path of ['', 'zh/']) {
    await open(page, `${path}#v=1&m=deepseek-v3&n=4`);
    await page.getByRole('button', { name: /^(Share|分享)$/ }).click();
    await page.getByRole('button', { name: /^(Copy embed code|复制嵌入代码)$/ }).click();
    await expect(page.locator('.share-said')).toHaveText(/Copied|已复制/);
    const code = await page.evaluate(() => navigator.clipboard.readText());
    expect(code).toMatch(
      /^<iframe src="[^"]+\/embed\/#v=1&amp;m=deepseek-v3&amp;[^"]*n=4[^"]*" title="[^"]*DeepSeek-V3[^"]*"/,
    );
    await page.goto('about:blank');
    await open(page, /src="([^"]*)"/.exec(code)?.[1]?.replaceAll('&amp;', '&') ?? '');
    await expect(headline(page)).toContainText('DeepSeek-V3');
    expect(new URL(page.url()).pathname).toBe(`/${path}embed/`);
    await expect(page.locator('.notice:visible')).toHaveCount(0);
    await page.goto('about:blank');
  }
});
