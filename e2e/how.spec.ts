// SPDX-License-Identifier: Apache-2.0
// "How we count": what it shows is what the core counts, in both languages, and its links lead to that state of the calculator.
import { execFileSync } from 'node:child_process';
import type { Locator, Page } from '@playwright/test';
import { axe, expect, headline, open, test } from './page';

interface Case {
  model: string;
  format: string;
  tokens: number;
  sequences: number;
}
const kArticle: Case = { model: 'article/7b', format: 'fp16', tokens: 2048, sequences: 1 };

/** The total on one A100 80 GB, from the command line. */
function total(engine: string, { model, format, tokens, sequences }: Case): number {
  const params = {
    model: { id: model },
    weights: { format },
    engine: { name: engine },
    workload: { context_tokens: tokens, sequences },
    hardware: [{ device: 'a100-sxm4-80gb', count: 1 }],
  };
  const text = execFileSync('build/native/weighbridge', {
    input: JSON.stringify({ method: 'estimate', params }),
    encoding: 'utf8',
  });
  return JSON.parse(text).result.devices[0].total_bytes;
}

const figure = (page: Page, part: string): Locator => page.locator(`[data-part="${part}"] small`);
const shows = async (page: Page, part: string, bytes: number): Promise<void> =>
  expect(figure(page, part)).toHaveText(new Intl.NumberFormat('en').format(bytes));

for (const [path, names] of [
  ['how/', { tokens: 'Tokens, number', requests: 'Requests at the same time', format: 'INT8' }],
  ['zh/how/', { tokens: 'token 数，数值', requests: '同时处理的请求数', format: 'INT8' }],
] as const)
  test.describe(path, () => {
    test('shows the article’s case by both counts, and its prints', async ({ page }) => {
      await open(page, path);
      await shows(page, 'article-total', 14_050_331_648);
      await shows(page, 'article-kv', 33_554_432);
      await shows(page, 'engine-total', total('vllm', kArticle));
      const prints = page.locator('.prints');
      for (const print of ['16.8', '32.8', '14.05', '8.4', '16.4', '7.02']) await expect(prints).toContainText(print);
      for (const bytes of ['33,554,432', '14,050,331,648', '7,025,165,824']) await expect(prints).toContainText(bytes);
      await expect(page.locator('#worked')).toContainText('16.0 GiB');
    });

    test('counts both columns again when a number changes', async ({ page }) => {
      await open(page, path);
      const worked = page.locator('#worked');
      await worked.getByLabel(names.tokens).fill('1024');
      await shows(page, 'article-total', total('article', { ...kArticle, tokens: 1024 }));
      await shows(page, 'engine-total', total('vllm', { ...kArticle, tokens: 1024 }));
      await worked.getByRole('slider', { name: names.requests }).press('PageUp');
      await shows(page, 'engine-total', total('vllm', { ...kArticle, tokens: 1024, sequences: 2 }));
      await worked.getByRole('radio', { name: names.format }).check();
      await worked.getByRole('radio', { name: '13B' }).check();
      const changed = { model: 'article/13b', format: 'int8', tokens: 1024, sequences: 2 };
      await shows(page, 'article-total', total('article', changed));
      await shows(page, 'engine-total', total('vllm', changed));
      await worked.locator('.case-controls .text-button').click();
      await shows(page, 'engine-total', total('vllm', kArticle));
    });

    // One view a language, wide and light or narrow and dark: axe takes seconds.
    const [width, scheme] = path === 'how/' ? ([1440, 'light'] as const) : ([320, 'dark'] as const);
    test(`axe and width: ${width} ${scheme}`, async ({ page }) => {
      test.slow();
      await page.setViewportSize({ width, height: 800 });
      await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
      await open(page, path);
      for (const button of await page.locator('.math-button').all()) await button.click();
      for (const cell of await page.locator('.math-cell').all())
        await expect(cell.locator('.math').first()).toBeVisible();
      await page.locator('#deployments').getByLabel(names.tokens).fill('9999');
      await page.evaluate(() => scrollTo(0, 0));
      const { violations } = await axe(page)
        .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'])
        .analyze();
      expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([]);
      expect(
        await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth),
      ).toBe(0);
    });
  });

test('its HTML holds the figures before any script', async ({ page }) => {
  const html = await (await page.request.get('how/')).text();
  for (const text of ['14,050,331,648', '33,554,432', '7,025,165,824', '32.8', 'num_attention_heads'])
    expect(html).toContain(text);
});

test('a number the core refuses gets its sentence, and the last figures stay', async ({ page }) => {
  await open(page, 'how/');
  const field = page.locator('#worked').getByLabel('Tokens, number');
  await field.fill('4096');
  await expect(page.locator('#worked .field-message').first()).toContainText('2,048');
  await expect(page.locator('#worked')).toHaveAttribute('data-stale', 'true');
  await shows(page, 'article-total', 14_050_331_648);
  await field.fill('many');
  await expect(page.locator('#worked .field-message').first()).toContainText('“many” is not a number');
  await field.fill('2k');
  await expect(page.locator('#worked .field-message')).toHaveCount(0);
});

test('the deployments: refused on eight cards, fits on two, and requests fill the RTX 4090', async ({ page }) => {
  await open(page, 'how/');
  const setup = (id: string): Locator => page.locator(`[data-deployment=${id}]`);
  await expect(setup('cloud8')).toContainText('Cannot run this way');
  await expect(setup('cloud8')).toContainText('52');
  await expect(setup('cloud2')).toContainText('Fits');
  await expect(setup('consumer')).toContainText('Fits');
  await page.locator('#deployments').getByLabel('Requests, number').fill('16');
  await expect(setup('consumer')).toContainText('Does not fit');
  await expect(page.locator('[data-saving=sequences-1]')).toContainText('One request at a time instead of 16');
});

test('links open the calculator with that setup', async ({ page }) => {
  await open(page, 'how/');
  await page.locator('[data-deployment=cloud2]').getByRole('link').click();
  await expect(headline(page)).toHaveText(/30B.* fits on 2 × A100/);
  await page.goBack();
  await page
    .locator('#family')
    .getByRole('link', { name: /8 × H200/ })
    .click();
  await expect(headline(page)).toHaveText('DeepSeek-R1 fits on 8 × H200');
  await page.goBack();
  await page
    .locator('#worked')
    .getByRole('link', { name: /article’s count/ })
    .click();
  await expect(page.getByRole('radio', { name: 'Rule of thumb' })).toBeChecked();
});

test('the settings of the calculator travel along, and the contents leave them alone', async ({ page }) => {
  const kHash = '#v=1&m=deepseek-r1-distill-qwen-32b&n=2&g=2xh100';
  await open(page, kHash);
  await page.getByRole('link', { name: 'How we count' }).click();
  await expect(page).toHaveURL(/how\/#v=1&m=deepseek-r1-distill-qwen-32b/);
  const setup = page
    .locator('#strategies')
    .getByRole('radio', { name: /^Your setup: DeepSeek-R1-Distill-Qwen-32B on 2 × H100/ });
  await setup.check();
  await expect(page.locator('[data-saving=sequences-1]')).toContainText('instead of 2');
  await page.locator('.contents').getByRole('link', { name: 'Measuring' }).click();
  await expect(page.locator('#measuring')).toBeFocused();
  await expect(page).toHaveURL(/how\/#v=1&m=deepseek-r1-distill-qwen-32b/);
  await page.getByRole('link', { name: '中文' }).click();
  await expect(headline(page)).toHaveText('计算方法');
  await page.getByRole('link', { name: '计算', exact: true }).click();
  await expect(headline(page)).toContainText('DeepSeek-R1-Distill-Qwen-32B');
});

test('links keep the settings before the page’s module has started', async ({ page }) => {
  const kHash = '#v=1&m=deepseek-r1-distill-qwen-32b&n=2&g=2xh100';
  let start = (): void => undefined;
  const started = new Promise<void>((resolve) => (start = resolve));
  await page.route(/\/assets\/[^/]*\.js$/, async (route) => {
    await started;
    await route.continue();
  });
  await page.goto(`how/${kHash}`, { waitUntil: 'commit' });
  await page.locator('.contents').getByRole('link', { name: 'Measuring' }).click();
  await expect(page.locator('#measuring')).toBeFocused();
  expect(new URL(page.url()).hash).toBe(kHash);
  await page.getByRole('link', { name: '中文' }).click({ noWaitAfter: true });
  await expect(page).toHaveURL(new RegExp(`zh/how/${kHash}`));
  await page.getByRole('link', { name: '计算', exact: true }).press('Enter', { noWaitAfter: true });
  await expect(page).toHaveURL(new RegExp(`zh/${kHash}`));
  start();
  await expect(headline(page)).toContainText('DeepSeek-R1-Distill-Qwen-32B');
});

test('the reader’s own setup has the savings and the log lines of its engine', async ({ page }) => {
  await open(page, 'how/#v=1&m=deepseek-r1-distill-qwen-32b&w=gguf:q8_0&n=1&g=1xh100&e=llama.cpp');
  await expect(page.locator('#measuring')).toContainText('GPU KV cache size');
  await page
    .locator('#measuring')
    .getByRole('radio', { name: /^Your setup/ })
    .check();
  await expect(page.locator('#measuring')).toContainText('compute buffer size');
  await expect(page.locator('#measuring')).not.toContainText('GPU KV cache size');
  await expect(page.locator('#strategies').getByRole('radio', { name: /^Your setup/ })).toBeChecked();
  await expect(page.locator('[data-saving="format-gguf:Q4_K_M"]')).toContainText('Q4_K_M weights instead of Q8_0');
});

test('the skip link leaves the settings alone', async ({ page }) => {
  await open(page, '#v=1&w=bf16');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await expect(page.locator('#answer')).toBeFocused();
  await expect(headline(page)).toHaveText('DeepSeek-R1 does not fit on 8 × H200');
  await expect(page).toHaveURL(/#v=1&w=bf16$/);
});

test('a part of the page can be linked to', async ({ page }) => {
  await open(page, 'how/#deployments');
  await expect(page.locator('#deployments')).toBeInViewport();
  await expect(page.locator('.notice')).toHaveCount(0);
});

test.describe('without WebAssembly', () => {
  test.use({ allow: /counting core did not load|no native wasm/ });
  test('the stored figures stay', async ({ page }) => {
    await page.addInitScript(() => {
      Object.defineProperty(globalThis, 'WebAssembly', { value: undefined });
    });
    await page.goto('how/');
    await expect(page.locator('.notice.warn')).toContainText('blocks WebAssembly');
    await shows(page, 'article-total', 14_050_331_648);
  });
});
