// SPDX-License-Identifier: Apache-2.0
// "What can my GPU run?": asked once, remembered here, every row with the core's own answer behind it.
import { axe, expect, headline, open, test, verdict } from './page';

const kFound = /\d+ of \d+ models run here/;

test('one tap, and the models come; a row opens the calculator with the same answer', async ({ page }) => {
  test.slow();
  await open(page, 'reverse/');
  await expect(headline(page)).toHaveText('What can my GPU run?');
  await page.getByRole('button', { name: 'RTX 4090', exact: true }).click();
  await expect(page.getByText(kFound)).toBeVisible({ timeout: 30_000 });
  await expect(page).toHaveURL(/g=1xrtx-4090/);
  // Larger models are listed before smaller ones, and what is called to fit says how much it needs.
  const row = page.getByRole('row').filter({ hasText: 'Qwen3-32B' }).first();
  await expect(row).toContainText('Fits');
  await expect(row).toContainText('Q4_K_M');
  await page.evaluate(() => scrollTo(0, 0));
  expect((await axe(page).analyze()).violations).toEqual([]);
  for (const width of [390, 320]) {
    await page.setViewportSize({ width, height: 800 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
  }
  await row.getByRole('link').click();
  await expect(headline(page)).toHaveText('Qwen3-32B fits on RTX 4090');
  await expect(verdict(page)).toHaveAttribute('data-verdict', 'fits');
});

test('it remembers the hardware in this browser, and forgets it', async ({ page }) => {
  test.slow();
  await open(page, 'zh/reverse/#v=1&ctx=8k&n=1&g=2xrtx-3090&ram=64&e=llama.cpp');
  await expect(page.getByText(/个模型中有 \d+ 个能跑/)).toBeVisible({ timeout: 30_000 });
  await page.getByRole('combobox', { name: '参数量' }).selectOption('130');
  await expect(page.locator('tr[data-verdict=offload]').first()).toContainText('层在显卡上');
  await page.goto('about:blank');
  await open(page, 'reverse/');
  await expect(page.getByText('NVIDIA GeForce RTX 3090', { exact: true })).toBeVisible();
  await expect(page.getByRole('textbox', { name: 'System memory, GiB' })).toHaveValue('64');
  await page.getByRole('button', { name: 'Forget it' }).click();
  await expect(page.getByRole('heading', { name: 'Which GPU do you have?' })).toBeVisible();
  expect(await page.evaluate(() => localStorage.getItem('myHardware'))).toBeNull();
});

test('under vLLM the memory share that surely starts is named, and goes along', async ({ page }) => {
  test.slow();
  await open(page, 'reverse/#v=1&ctx=8k&n=1&g=2xrtx-3090');
  await expect(page.getByText(kFound)).toBeVisible({ timeout: 30_000 });
  const row = page.getByRole('row').filter({ hasText: /^Qwen3-32B/ });
  await expect(row).toContainText('Fits');
  await expect(row).toContainText(/with gpu_memory_utilization 0\.\d\d/);
  await row.getByRole('link').click();
  await expect(headline(page)).toHaveText('Qwen3-32B fits on 2 × RTX 3090');
  await expect(page).toHaveURL(/util=0\.\d\d/);
});

test('a second kind of GPU is added and taken away', async ({ page }) => {
  test.slow();
  await open(page, 'reverse/#v=1&ctx=8k&n=1&g=1xrtx-3090&e=llama.cpp');
  await page.getByRole('button', { name: '+ another kind' }).click();
  await page.getByRole('searchbox', { name: 'One more kind of GPU' }).fill('rtx 3060 12');
  await page.getByRole('button', { name: /RTX 3060 12/ }).click();
  await expect(page).toHaveURL(/g=1xrtx-3090\+1xrtx-3060-12gb/);
  await expect(page.getByText(kFound)).toBeVisible({ timeout: 30_000 });
  await page.getByRole('button', { name: /3060.*Remove this kind/ }).click();
  await expect(page).toHaveURL(/g=1xrtx-3090(&|$)/);
});

test('a GPU of a link that nobody knows is said, and asked for', async ({ page }) => {
  await open(page, 'reverse/#v=1&g=rtx-3090x2');
  await expect(page.getByRole('alert')).toContainText('rtx-3090x2');
  await expect(page.getByRole('heading', { name: 'Which GPU do you have?' })).toBeVisible();
});

test('each class of licence has its models, which say theirs', async ({ page }) => {
  test.slow();
  await open(page, 'reverse/#v=1&ctx=8k&n=1&g=1xrtx-4090&e=llama.cpp');
  await expect(page.getByText(kFound)).toBeVisible({ timeout: 30_000 });
  const licence = page.getByRole('combobox', { name: 'Licence' });
  const said = page.locator('tr[data-verdict] th small').first();
  const found = async (): Promise<number> =>
    Number(/of (\d+) models/.exec((await page.getByText(kFound).textContent()) ?? '')?.[1]);
  const all = await found();
  await licence.selectOption('permissive');
  await expect(said).toHaveText(/ · (Apache-2.0|MIT)( ·|$)/);
  const permissive = await found();
  await licence.selectOption('other');
  await expect(said).not.toHaveText(/ · (Apache-2.0|MIT)( ·|$)/);
  await expect(said).toContainText(' · ');
  const other = await found();
  await licence.selectOption('unstated');
  expect(permissive).toBeGreaterThan(100);
  expect(other).toBeGreaterThan(0);
  expect(permissive + other + (await found())).toBe(all);
});

test('an engine that the list is not for is said to be replaced, until another is chosen', async ({ page }) => {
  await open(page, 'reverse/#v=1&ctx=16k&n=1&g=2xrtx-3090&e=ollama&ram=64');
  const said = page.getByText('This list is counted for llama.cpp in place of Ollama');
  await expect(said).toBeVisible();
  await page.locator('label').filter({ hasText: 'vLLM' }).click();
  await expect(page).toHaveURL(/g=2xrtx-3090/);
  await expect(page).not.toHaveURL(/e=ollama/);
  await expect(page.getByText(/in place of/)).toHaveCount(0);
  await page.goto('about:blank');
  await open(page, 'zh/reverse/#v=1&n=1&g=1xh100-sxm&e=sglang');
  await expect(page.getByText('链接里的引擎是 SGLang，这份清单改按 vLLM 计算。')).toBeVisible();
});

test('what is in use there already counts, and is in sight', async ({ page }) => {
  test.slow();
  const running = encodeURIComponent('v=1&m=qwen3-14b&w=q8_0&ctx=8k&e=llama.cpp');
  await open(page, `reverse/#v=1&m=qwen3-8b&ctx=8k&n=1&g=1xrtx-4090&e=llama.cpp&run.1=${running}`);
  await page.getByRole('combobox', { name: 'Parameters' }).selectOption('15');
  const row = page.getByRole('row').filter({ hasText: /^Qwen3-8B/ });
  await expect(page.getByText('Qwen3-14B runs there')).toBeVisible();
  await expect(row).toContainText('Q5_K_M', { timeout: 30_000 });
  await page.getByRole('button', { name: 'Qwen3-14B does not run here' }).click();
  await expect(row).toContainText('BF16', { timeout: 30_000 });
  await page.getByRole('button', { name: /ComfyUI/ }).click();
  await expect(page.getByRole('textbox', { name: 'Already in use on each RTX 4090' })).toHaveValue(/^7\.70.GiB$/);
  await expect(page).toHaveURL(/used=7\.7/);
  await expect(row).toContainText('Q8_0', { timeout: 30_000 });
  expect((await axe(page).analyze()).violations).toEqual([]);
});

test('another GPU keeps the engine and the context, and the calculator gets weights that the engine loads', async ({
  page,
}) => {
  await open(page, 'reverse/');
  await page.getByRole('button', { name: 'RTX 4090', exact: true }).click();
  await expect(page).toHaveURL(/g=1xrtx-4090/);
  await expect(page).not.toHaveURL(/w=checkpoint/);
  await page.locator('label').filter({ hasText: 'vLLM' }).click();
  await page.getByRole('combobox', { name: 'Room for a context of at least' }).selectOption('32768');
  await page.getByRole('searchbox', { name: 'Another GPU or machine' }).fill('rtx 5090');
  await page.getByRole('button', { name: 'NVIDIA GeForce RTX 5090', exact: false }).first().click();
  await expect(page).toHaveURL(/g=1xrtx-5090/);
  await expect(page.getByRole('radio', { name: 'vLLM' })).toBeChecked();
  await expect(page.getByRole('combobox', { name: 'Room for a context of at least' })).toHaveValue('32768');
  await page.locator('label').filter({ hasText: 'llama.cpp' }).click();
  await expect(page).toHaveURL(/e=llama.cpp/);
  await page.getByRole('link', { name: 'Calculator' }).click();
  await expect(verdict(page)).toHaveAttribute('data-verdict', 'no');
});
