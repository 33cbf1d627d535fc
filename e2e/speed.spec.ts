// SPDX-License-Identifier: Apache-2.0
// Speed, cost and rules of thumb: the core's figures, once someone sees the card, and nothing of them before.
import { readFileSync } from 'node:fs';
import AxeBuilder from '@axe-core/playwright';
import { expect, open, test } from './page';

const { calls } = JSON.parse(readFileSync('tests/golden/speed.json', 'utf8'));
const { decode } = calls[0].response.result;
const { total_bytes: total, receipts } = calls[2].response.result;
const twoDigits = (value: number): string => Number(value.toPrecision(2)).toLocaleString('en');

test('the speed card asks the full core when it is seen, and gives a range with what it rests on', async ({ page }) => {
  let isFullAsked = false;
  page.on('request', (request) => (isFullAsked ||= request.url().includes('weighbridge-full')));
  await page.setViewportSize({ width: 1280, height: 500 });
  await open(page);
  const card = page.getByRole('region', { name: 'How fast, and what it costs' });
  await expect(card).toBeAttached();
  expect(isFullAsked).toBe(false);
  await card.scrollIntoViewIfNeeded();
  const each = decode.tokens_per_second_each;
  await expect(card).toContainText(`${twoDigits(each.low)}–${twoDigits(each.high)} tokens/s`);
  expect(isFullAsked).toBe(true);
  await expect(card).toContainText('85 measured runs of vLLM');
  await expect(card).toContainText('AWS p5en.48xlarge: $63.30 an hour');
  await page.getByLabel('Requests at the same time, number').fill('1');
  await expect(card).toContainText('for each request, alone');
  await expect(card).not.toContainText('all requests together');
});

test('rules of thumb stand beside the counted total, in Chinese and on a narrow screen', async ({ page }) => {
  await page.setViewportSize({ width: 320, height: 700 });
  await open(page, 'zh/');
  await page.getByText('经验法则会怎么说').click();
  const rows = page.locator('.receipts tbody tr');
  await expect(rows).toHaveCount(receipts.length);
  await expect(rows.first()).toContainText(
    `${((2 * 671.0264192e9) / 2 ** 30).toLocaleString('en', { maximumFractionDigits: 1 })}\u00a0GiB`,
  );
  await expect(rows.first()).toContainText('多算');
  await expect(rows.last()).toContainText(`${twoDigits(receipts.at(-1).factor)}\u00a0倍`);
  await expect(page.locator('.fold:has(.receipts)')).toContainText(
    `${(total / 2 ** 30).toLocaleString('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 })}\u00a0GiB`,
  );
  await page.getByRole('region', { name: '速度与费用' }).scrollIntoViewIfNeeded();
  await expect(page.getByRole('region', { name: '速度与费用' })).toContainText('token/秒');
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(320);
  expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
});
