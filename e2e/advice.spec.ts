// SPDX-License-Identifier: Apache-2.0
// What would make it fit: rows of the core, tried and undone with one click each.
import { expect, open, test, verdict } from './page';

const kTooLarge = 'v=1&m=qwen3-32b&w=q4_k_m&n=1&g=1xrtx-4090&e=llama.cpp';

test('it does not fit, one click makes it fit, and one more undoes that', async ({ page }) => {
  await open(page, `#${kTooLarge}`);
  await expect(verdict(page)).toHaveAttribute('data-verdict', 'no');
  const card = page.getByRole('region', { name: 'What would make it fit' });
  const rows = card.getByRole('listitem');
  await expect(rows.first()).toContainText('Q8_0 KV cache');
  await expect(rows.first()).toContainText('+3.75 GiB');
  await expect(rows.first()).toContainText('fits, 596 MiB free');
  await expect(card.locator('li', { hasText: 'Q3_K_M weights' })).toContainText('Perplexity of Llama-3-8B: +0.6569');
  await card.getByRole('button', { name: 'Try: A context of 18,432 tokens' }).click();
  await expect(verdict(page)).toHaveAttribute('data-verdict', 'fits');
  await expect(page).toHaveURL(/ctx=18k/);
  await expect(page.locator('[data-field="context"]')).toHaveAttribute('data-tried', '');
  const undo = page.getByRole('button', { name: 'Undo' });
  await expect(undo).toBeFocused();
  await expect(page.getByRole('status').filter({ has: undo })).toContainText('Changed: A context of 18,432 tokens');
  await expect(page.getByRole('heading', { name: 'How to get more room' })).toBeVisible();
  await undo.click();
  await expect(verdict(page)).toHaveAttribute('data-verdict', 'no');
  await expect(page.getByRole('heading', { name: 'What would make it fit' })).toBeFocused();
  await expect(page).not.toHaveURL(/ctx=/);
  await expect(page.locator('[data-tried]')).toHaveCount(0);
});

test('it may just fit, and another engine is sure to', async ({ page }) => {
  await open(page, '#v=1&m=deepseek-r1-distill-llama-70b&w=int4&ctx=8k&n=1&g=2xrtx-3090');
  await expect(verdict(page)).toHaveAttribute('data-verdict', 'tight');
  const card = page.getByRole('region', { name: 'What would make sure that it fits' });
  await card.getByRole('button', { name: 'Try: llama.cpp as the engine + Q4_K_M weights' }).click();
  await expect(verdict(page)).toHaveAttribute('data-verdict', 'fits');
  await expect(page).toHaveURL(/e=llama\.cpp/);
  await expect(page.getByRole('radio', { name: 'llama.cpp' })).toBeChecked();
  await expect(page.locator('[data-field="engine"]')).toHaveAttribute('data-tried', '');
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(page.getByRole('radio', { name: 'vLLM' })).toBeChecked();
  await expect(verdict(page)).toHaveAttribute('data-verdict', 'tight');
});

test('Back returns from a try, and from a reset', async ({ page }) => {
  await open(page, `#${kTooLarge}`);
  await page.getByRole('button', { name: 'Try: A context of 18,432 tokens' }).click();
  await expect(page).toHaveURL(/ctx=18k/);
  await page.goBack();
  await expect(verdict(page)).toHaveAttribute('data-verdict', 'no');
  await expect(page).not.toHaveURL(/ctx=/);
  await page.goForward();
  await expect(verdict(page)).toHaveAttribute('data-verdict', 'fits');
  await page.getByRole('button', { name: 'Reset' }).click();
  await expect(page).toHaveURL(/\/$/);
  await page.goBack();
  await expect(page.locator('#model')).toHaveValue('Qwen3-32B');
  await expect(verdict(page)).toHaveAttribute('data-verdict', 'fits');
});

test('Chinese: a distillation, whose layers come when it is named, and its way back', async ({ page }) => {
  await open(page, 'zh/#v=1&g=8xh100-sxm');
  const card = page.getByRole('region', { name: '怎样才装得下' });
  const row = card.locator('li', { hasText: 'DeepSeek-R1-Distill-Llama-70B' });
  await expect(row).toContainText('换成更小的模型');
  await expect(card.locator('li').last()).toContainText('只改这一项还不够');
  await row.getByRole('button', { name: '试试' }).click();
  await expect(verdict(page)).toHaveAttribute('data-verdict', 'fits');
  await expect(page.locator('#model')).toHaveValue('DeepSeek-R1-Distill-Llama-70B');
  await page.getByRole('button', { name: '撤销' }).click();
  await expect(page.locator('#model')).toHaveValue('DeepSeek-R1');
  await expect(verdict(page)).toHaveAttribute('data-verdict', 'no');
});

// Each moves another part of the request: the cache, the layers on the GPU, the experts in system memory.
for (const { hash, change, key } of [
  { hash: 'v=1&m=qwen3-32b&n=1&g=1xrtx-4090&e=llama.cpp', change: 'Q8_0 KV cache', key: 'kv=q8_0' },
  { hash: 'v=1&m=qwen3-32b&n=1&g=1xrtx-4090&e=llama.cpp', change: /\d+ layers/, key: 'ngl=' },
  { hash: 'v=1&m=qwen3-30b-a3b&n=1&g=1xrtx-3060-12gb&e=llama.cpp', change: /Experts of \d+ layers/, key: 'cmoe=' },
])
  test(`what is undone goes from the address as well: ${key}`, async ({ page }) => {
    await open(page, `#${hash}`);
    const card = page.getByRole('region', { name: 'What would make it fit' });
    await card
      .getByRole('listitem')
      .filter({ hasText: change })
      .first()
      .getByRole('button', { name: /^Try: / })
      .click();
    await expect(page).toHaveURL(new RegExp(`[#&]${key}`));
    await page.getByRole('button', { name: 'Undo' }).click();
    await expect(page).not.toHaveURL(new RegExp(`[#&]${key}`));
    await expect(page).toHaveURL(/[#&]g=/);
  });

// With a button of the answer, and without one.
for (const hash of [
  'v=1&m=phi-2&g=1xrtx-4090&e=llama.cpp&kv=q8_0',
  'v=1&m=qwen3-32b&g=2xrtx-3090&e=llama.cpp&o.split_mode=row',
])
  test(`where a setting is refused, nothing is said of what makes it fit: ${hash}`, async ({ page }) => {
    await open(page, `#${hash}`);
    await expect(verdict(page)).toHaveAttribute('data-verdict', 'impossible');
    const card = page.getByRole('region', { name: 'What would make it fit' });
    await expect(card).toContainText('A setting is refused here and has to change first');
    await expect(card).not.toContainText('No single change');
  });
