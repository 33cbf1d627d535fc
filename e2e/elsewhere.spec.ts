// SPDX-License-Identifier: Apache-2.0
// "The same job on other devices", counted when it is opened; one press takes a device, another holds it against the present one.
import type { Locator, Page } from '@playwright/test';
import { strangeGguf } from '../tests/web/support/models';
import { axe, expect, open, test, verdict } from './page';

const card = (page: Page): Locator => page.locator('.elsewhere');
const show = async (page: Page): Promise<void> => {
  const summary = card(page).locator('summary');
  await summary.scrollIntoViewIfNeeded();
  await summary.click();
};

test('every device is counted; one is taken, another is compared', async ({ page }) => {
  test.slow();
  await open(page, '#v=1&m=deepseek-r1-distill-llama-70b&w=gguf:q4_k_m&e=llama.cpp&n=1&ctx=8k&g=2xrtx-3090');
  await show(page);
  await expect(card(page).getByText(/^\d+ of \d+ hold it$/)).toBeVisible({ timeout: 60_000 });
  await expect(card(page).locator('tbody tr')).toHaveCount(12);
  await expect(card(page).locator('tbody tr').first()).toHaveAttribute('data-verdict', 'fits');
  const outcome = card(page).getByRole('combobox', { name: 'Show' });
  await outcome.selectOption('no');
  await expect(card(page).locator('tbody tr').first()).toHaveAttribute('data-verdict', 'no');
  await expect(outcome.locator('option:checked')).toHaveText(/^Does not fit \(\d+\)$/);
  await outcome.selectOption('');
  await card(page).getByRole('searchbox').fill('rtx 3090');
  const row = card(page).getByRole('row', { name: /^2 × RTX 3090 Fits/ });
  await expect(row).toContainText('Fits');
  await expect(row).toContainText(/free of/);
  expect((await axe(page).include('.elsewhere').analyze()).violations).toEqual([]);
  for (const width of [390, 320]) {
    await page.setViewportSize({ width, height: 800 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
  }
  await page.setViewportSize({ width: 1440, height: 900 });
  // A word that only the full name has.
  await card(page).getByRole('searchbox').fill('MIG');
  await expect(card(page).getByRole('row', { name: /H200 3g\.71gb/ })).toBeVisible();
  await card(page).getByRole('searchbox').fill('h100');
  await card(page).getByRole('button', { name: 'Compare with H100', exact: true }).click();
  await expect(page.locator('.side-verdicts h2')).toHaveText([
    'A DeepSeek-R1-Distill-Llama-70B fits on 2 × RTX 3090',
    'B DeepSeek-R1-Distill-Llama-70B fits on H100',
  ]);
});

test('machines come with their price; one press takes a whole machine', async ({ page }) => {
  test.slow();
  await open(page, 'zh/#v=1&n=4');
  await show(page);
  await card(page).getByText('可租用或购买的整机').click();
  await expect(card(page).getByText(/^\d+ 个中有 \d+ 个装得下$/)).toBeVisible({ timeout: 60_000 });
  const first = card(page).locator('tbody tr').first();
  await expect(first).toContainText('装得下');
  await expect(first).toContainText(/每小时/);
  await first.getByRole('button', { name: /^使用/ }).click();
  await expect(page).toHaveURL(/g=/);
  await expect(verdict(page)).toHaveAttribute('data-verdict', 'fits');
});

test('rows of earlier settings wait for the new ones', async ({ page }) => {
  test.slow();
  await open(page, '#v=1&m=qwen3-8b&w=gguf:q4_k_m&e=llama.cpp&n=1&ctx=8k&g=rtx-3090');
  await show(page);
  await expect(card(page).getByText(/^\d+ of \d+ hold it$/)).toBeVisible({ timeout: 60_000 });
  const use = card(page).getByRole('button', { name: /^Use / }).first();
  await expect(use).toBeEnabled();
  await expect(card(page)).not.toHaveAttribute('data-stale');
  await page.getByRole('textbox', { name: 'Requests at the same time, number' }).fill('3');
  await expect(card(page)).toHaveAttribute('data-stale', 'true');
  await expect(use).toBeDisabled();
  await expect(use).toBeEnabled({ timeout: 60_000 });
  await use.click();
  await expect(page).toHaveURL(/n=3/);
});

test('a model that was read keeps what was assumed, and is not offered where no link can hold it', async ({ page }) => {
  test.slow();
  await open(page, '#v=1&e=llama.cpp&n=1&ctx=8k&g=rtx-3090');
  await page.getByLabel('Model files from this device').setInputFiles({
    name: 'x.gguf',
    mimeType: 'application/octet-stream',
    buffer: Buffer.from(strangeGguf()),
  });
  await page.getByLabel('Layers', { exact: true }).fill('24');
  await page.getByLabel('KV heads', { exact: true }).fill('2');
  await page.getByLabel('Head size').fill('64');
  await page.getByRole('button', { name: 'Count with these' }).click();
  const assumed = page.locator('.notice.plain');
  await expect(assumed).toContainText('24 layers that keep 2 heads of 64');
  await show(page);
  await expect(card(page).getByText(/^\d+ of \d+ hold it$/)).toBeVisible({ timeout: 60_000 });
  await expect(card(page).getByRole('button', { name: /^Compare / })).toHaveCount(0);
  await card(page).getByRole('searchbox').fill('h100');
  await card(page).getByRole('button', { name: 'Use H100', exact: true }).click();
  await expect(page).toHaveURL(/g=1?x?h100/);
  await expect(assumed).toContainText('24 layers that keep 2 heads of 64');
  // Nor is a reset a step from which Back would return to a setup without it.
  const steps = await page.evaluate(() => history.length);
  await page.getByRole('button', { name: 'Reset' }).click();
  await expect(page).toHaveURL(/\/$/);
  expect(await page.evaluate(() => history.length)).toBe(steps);
});
