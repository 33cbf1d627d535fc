// SPDX-License-Identifier: Apache-2.0
// Speed, cost and rules of thumb: the core's figures, once someone sees the card, and nothing of them before.
import { readFileSync } from 'node:fs';
import { axe, expect, open, test, verdict } from './page';

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
  expect((await axe(page).analyze()).violations).toEqual([]);
});

test('how fast system memory is, and a GPU of one’s own, can be said, and the link keeps it', async ({ page }) => {
  await open(page, '#v=1&m=qwen3-30b-a3b&g=1x24gib&ram=64&e=llama.cpp&cmoe=48');
  const card = page.getByRole('region', { name: 'How fast, and what it costs' });
  await card.scrollIntoViewIfNeeded();
  await expect(card).toContainText('the bandwidth of this memory is not known to us');
  await page.locator('.expert summary').click();
  await page.getByRole('textbox', { name: 'Bandwidth of your GPU’s memory' }).fill('936');
  await page.getByRole('textbox', { name: 'Speed of your GPU in 16 bits' }).fill('142.3');
  await expect(card).toContainText('tokens/s');
  await expect(card).toContainText('How fast the system memory is, we do not know');
  await page.getByRole('textbox', { name: 'Bandwidth of system memory' }).fill('89.6');
  await expect(card).not.toContainText('How fast the system memory is, we do not know');
  await expect(page.locator('.expert summary')).toContainText('4 changed');
  await expect(page).toHaveURL(/g=1x24gib@936,142\.3&ram=64&rambw=89\.6&/);
  await page.reload();
  await page.locator('.expert summary').click();
  await expect(page.getByRole('textbox', { name: 'Bandwidth of system memory' })).toHaveValue('89.6');
  await expect(page.getByRole('textbox', { name: 'Bandwidth of your GPU’s memory' })).toHaveValue('936');
});

test('where the answer needs system memory, the speed is that of the layers it names', async ({ page }) => {
  await open(page, '#v=1&m=deepseek-r1-distill-llama-70b&g=1xrtx-3090&e=llama.cpp&ctx=8k&n=1&ram=64');
  await expect(verdict(page)).toHaveAttribute('data-verdict', 'offload');
  const card = page.getByRole('region', { name: 'How fast, and what it costs' });
  await card.scrollIntoViewIfNeeded();
  await expect(card).toContainText('For 43 of 81 layers on the GPUs and the others in system memory');
  await expect(card).toContainText(/[\d.]+–[\d.]+ tokens\/s/);
  await expect(card).not.toContainText('There is no speed to tell');
  const rate = await card.locator('.rates dd').first().textContent();
  // The same as where these layers are asked for.
  await page.getByRole('button', { name: 'Keep 43 layers on the GPUs' }).click();
  await expect(card).not.toContainText('For 43 of 81 layers');
  await expect(card.locator('.rates dd').first()).toHaveText(rate ?? '');
});
