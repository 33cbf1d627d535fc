// SPDX-License-Identifier: Apache-2.0
// "Compare": several setups in one link, each changed in the same form, every figure with its difference.
import { axe, expect, open, ready, test } from './page';
import type { Locator, Page } from '@playwright/test';

const verdicts = (page: Page): Locator => page.locator('.side-verdicts h2');
const row = (page: Page, name: string): Locator => page.locator('.compared tr').filter({ hasText: name }).first();

test('the calculator’s setup comes along as A; B is changed, the link holds both', async ({ page }) => {
  await open(page, '#v=1&n=4');
  await page.getByRole('link', { name: 'Compare' }).click();
  await page.waitForURL(/compare/);
  await ready(page);
  await expect(verdicts(page)).toHaveText(['A DeepSeek-R1 fits on 8 × H200', 'B DeepSeek-R1 fits on 8 × H200']);
  await page.getByRole('textbox', { name: 'Requests at the same time, number' }).fill('8');
  await page.keyboard.press('Enter');
  await expect(row(page, 'Requests at the same time').locator('td')).toHaveText(['4', '8']);
  await expect(row(page, 'KV cache').locator('td').nth(1)).toContainText('+');
  await expect(row(page, 'Weights').locator('td').first()).toHaveText('FP8');
  await expect(page).toHaveURL(/#v=1&n=4&b\.m=deepseek-r1&.*b\.n=8/);
  await page.getByRole('radio', { name: 'Setup A' }).check();
  await expect(page.getByRole('textbox', { name: 'Requests at the same time, number' })).toHaveValue('4');
  // The other pages show A and lose nothing.
  await page.getByRole('link', { name: 'Calculator' }).click();
  await page.waitForURL(/\/#/);
  await ready(page);
  await expect(page).toHaveURL(/\/#v=1&n=4&b\.m=deepseek-r1/);
  await expect(page.getByRole('textbox', { name: 'Requests at the same time, number' })).toHaveValue('4');
  await expect(page.getByText('has a setting that this version does not know')).toHaveCount(0);
});

test('three setups of one link, their speeds, and one with no answer', async ({ page }) => {
  test.slow();
  const link = '#v=1&b.m=deepseek-r1&b.g=8xh100-sxm&c.m=deepseek-r1-distill-llama-70b&c.w=gguf:q4_k_m&c.e=llama.cpp';
  await open(page, `compare/${link}&c.n=1&c.ctx=8k&c.g=2xrtx-3090`);
  await expect(verdicts(page)).toHaveText([
    'A DeepSeek-R1 fits on 8 × H200',
    'B DeepSeek-R1 does not fit on 8 × H100',
    /^C DeepSeek-R1-Distill-Llama-70B fits on 2 × RTX 3090$/,
  ]);
  await expect(row(page, 'Each request, tokens/s').locator('td').nth(2)).toHaveText(/^\d.*–\d/);
  await page.evaluate(() => scrollTo(0, 0));
  expect((await axe(page).analyze()).violations).toEqual([]);
  for (const width of [390, 320]) {
    await page.setViewportSize({ width, height: 800 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
  }
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.getByRole('button', { name: 'Remove C' }).click();
  await expect(verdicts(page)).toHaveCount(2);
  await expect(page).not.toHaveURL(/c\./);
});

test('in Chinese, by a link that holds a fault', async ({ page }) => {
  await open(page, 'zh/compare/#v=1&b.m=gpt-9&b.n=2');
  await expect(page.getByRole('alert')).toContainText('gpt-9');
  await expect(verdicts(page)).toHaveCount(2);
  await page.getByRole('button', { name: '添加 C' }).click();
  await expect(verdicts(page)).toHaveCount(3);
});

test('of two links that come one after the other, the second is shown, and stays in the address', async ({ page }) => {
  await open(page, 'compare/');
  await expect(verdicts(page)).toHaveCount(2);
  // The first has to wait for devices that the page did not begin with.
  const slow = '#v=1&n=3&b.m=deepseek-r1-distill-llama-70b&b.w=gguf:q4_k_m&b.e=llama.cpp&b.g=2xrtx-3090&b.n=1';
  const quick = '#v=1&n=5&b.m=deepseek-v3&b.n=7';
  await page.evaluate(
    async ([first, second]) => {
      location.hash = first;
      await new Promise((done) => addEventListener('hashchange', done, { once: true }));
      location.hash = second;
    },
    [slow, quick] as const,
  );
  await expect(row(page, 'Requests at the same time').locator('td')).toHaveText(['5', '7']);
  await page.waitForTimeout(1500); // longer than the first takes, and than the address waits
  await expect(row(page, 'Requests at the same time').locator('td')).toHaveText(['5', '7']);
  await expect(page).toHaveURL(new RegExp(`compare/${quick}$`));
});
