// SPDX-License-Identifier: Apache-2.0
// Machines that people own: one tap sets GPUs, engine and a model that suits them; llama.cpp with its layers, file types and system memory.
import { choose, expect, headline, open, test, verdict } from './page';

test.describe('I have', () => {
  for (const [machine, model] of [
    ['2 × RTX 3090', 'DeepSeek-R1-Distill-Llama-70B'],
    ['RTX 4090', 'Qwen3-32B'],
    ['RTX 5090', 'Qwen3-32B'],
    ['Mac 64 GB', 'Llama-3.3-70B-Instruct'],
    ['Strix Halo 128 GB', 'gpt-oss-120b'],
    ['8 × H100', 'Llama-3.3-70B-Instruct'],
  ] as const)
    test(`${machine}: one tap, and ${model} fits`, async ({ page }) => {
      await open(page);
      const chip = page.getByRole('button', { name: machine, exact: true });
      await chip.click();
      await expect(verdict(page)).toHaveAttribute('data-verdict', 'fits');
      await expect(headline(page)).toContainText(`${model} fits on`);
      await expect(chip).toHaveAttribute('aria-pressed', 'true');
      await expect(page.getByRole('combobox', { name: 'Model' })).toHaveValue(model);
    });
});

test('two RTX 3090 at 8,192 tokens: the cache of the 70B distillation is 2,684,354,560 bytes', async ({ page }) => {
  await open(page);
  await page.getByRole('button', { name: '2 × RTX 3090' }).click();
  await expect(headline(page)).toContainText('DeepSeek-R1-Distill-Llama-70B fits on 2 × RTX 3090');
  await page.getByRole('button', { name: 'Show the math: KV cache' }).click();
  await expect(page.locator('.math-kv')).toBeVisible();
  const shown = await page
    .locator('.math-kv .math-row .factor.result:first-child b, .math-kv .factor.result b')
    .allTextContents();
  const bytes = shown.filter((text) => /^[\d,]+$/.test(text)).map((text) => Number(text.replaceAll(',', '')));
  // The fuller card holds 41 of 80 layers, keys and values in rows of their own.
  expect(bytes.reduce((sum, part) => sum + part, 0)).toBe((2_684_354_560 / 80) * 41);
  await expect(page.locator('.table tfoot')).toContainText('21.67');
});

test('a model that is too large runs with part of it in system memory, once that is given', async ({ page }) => {
  await open(page, '#v=1&m=deepseek-r1-distill-llama-70b&w=q4_k_m&ctx=8k&n=1&g=1xrtx-4090&e=llama.cpp');
  await expect(verdict(page)).toHaveAttribute('data-verdict', 'no');
  await page.getByRole('textbox', { name: 'System memory, GiB' }).fill('64');
  await expect(verdict(page)).toHaveAttribute('data-verdict', 'offload');
  await expect(page).toHaveURL(/ram=64/);
  await page.getByRole('button', { name: 'Keep 43 layers on the GPUs' }).click();
  await expect(page).toHaveURL(/ngl=43/);
  await expect(verdict(page)).toHaveAttribute('data-verdict', 'offload');
  await expect(verdict(page)).toContainText('With 43 of 81 layers');
  await page.locator('.expert summary').click();
  await page.getByRole('textbox', { name: 'Layers on the GPUs' }).fill('44');
  await expect(verdict(page)).toHaveAttribute('data-verdict', 'tight');
});

test('file types: the common ones as chips, all of them in a list', async ({ page }) => {
  await open(page, '#v=1&m=qwen3-8b&n=1&g=1xrtx-4090&e=llama.cpp&w=q4_k_m');
  await expect(page.locator('.chip')).toHaveCount(4);
  await page.getByRole('combobox', { name: 'All file types, with their sizes' }).selectOption('gguf:IQ3_XXS');
  await expect(page).toHaveURL(/w=iq3_xxs/);
  await expect(page.locator('.chip')).toHaveCount(5);
  await choose(page, page.getByRole('radio', { name: /Q8_0/ }));
  await expect(page).toHaveURL(/w=q8_0/);
});

test('the engine brings its own defaults, and gives them back', async ({ page }) => {
  await open(page);
  await choose(page, page.getByRole('radio', { name: 'llama.cpp' }));
  await expect(page).toHaveURL(/#v=1&e=llama\.cpp$/); // its format and one request go without saying
  await expect(page.getByLabel('Requests at the same time, number')).toHaveValue('1');
  await choose(page, page.getByRole('radio', { name: 'vLLM' }));
  await expect(page).toHaveURL(/\/$/);
});

test('unlike GPUs: llama.cpp uses both, vLLM says that it cannot', async ({ page }) => {
  await open(page, '#v=1&m=qwen3-32b&w=q4_k_m&n=1&g=1xrtx-4090+1xrtx-3090&e=llama.cpp');
  await expect(headline(page)).toHaveText('Qwen3-32B fits on RTX 4090 + RTX 3090');
  await expect(page.locator('.device')).toHaveCount(3);
  await choose(page, page.getByRole('radio', { name: 'vLLM' }));
  await expect(verdict(page)).toHaveAttribute('data-verdict', 'impossible');
  await expect(verdict(page)).toContainText('one kind of GPU');
});

test('a context that no request fits is refused by every engine with a pool, with the longest one a tap away', async ({
  page,
}) => {
  for (const [engine, words] of [
    ['vllm', 'The estimated maximum model length is'],
    ['sglang', 'refuses longer prompts'],
    ['tgi', 'does not start'],
  ] as const) {
    await open(page, `#v=1&m=llama-3.1-8b-instruct&ctx=128k&n=1&g=1xrtx-3090&e=${engine}`);
    await expect(verdict(page)).toHaveAttribute('data-verdict', 'impossible');
    await expect(verdict(page)).toContainText(words);
    await page.getByRole('button', { name: /^Use [\d,]+ tokens$/ }).click();
    await expect(verdict(page)).not.toHaveAttribute('data-verdict', 'impossible');
  }
});

test('vLLM counts a model of its own that drafts', async ({ page }) => {
  await open(page, '#v=1&m=qwen3-8b&ctx=8k&n=4&g=1xh100');
  await page.locator('.expert summary').click();
  await page.getByRole('textbox', { name: 'Draft model' }).fill('qwen3-0.6b');
  await page.getByRole('textbox', { name: 'Draft model' }).press('Tab');
  await expect(page.locator('.expert-flags')).toContainText('"method":"draft_model"');
  await expect(verdict(page)).toHaveAttribute('data-verdict', 'fits');
});

test('without a GPU everything lies in system memory', async ({ page }) => {
  await open(page, '#v=1&m=qwen3-30b-a3b&w=q4_k_m&ctx=8k&n=1&g=none&ram=64&e=llama.cpp');
  await expect(headline(page)).toHaveText('Qwen3-30B-A3B fits on the CPU alone');
  await expect(page.locator('.table tfoot')).toContainText('18.3');
});

test('an FP8 checkpoint is refused with the nearest file type', async ({ page }) => {
  await open(page, '#v=1&m=deepseek-r1&w=checkpoint&e=llama.cpp');
  await expect(verdict(page)).toHaveAttribute('data-verdict', 'impossible');
  await page.getByRole('button', { name: 'Use Q8_0 weights' }).click();
  await expect(verdict(page)).not.toHaveAttribute('data-verdict', 'impossible');
});

test('expert settings give the command to start the engine with, a draft model included', async ({ page }) => {
  await open(page, '#v=1&m=qwen3-32b&ctx=8k&g=1xrtx-4090&e=llama.cpp');
  await page.locator('.expert summary').click();
  const command = page.locator('.expert-flags').last();
  await expect(command).toHaveText(/^llama-server -m Qwen3-32B-Q4_K_M\.gguf -c 8192 -np 1 -ngl \d+$/);
  await page.getByRole('textbox', { name: 'Draft model' }).fill('qwen3-0.6b');
  await page.getByRole('textbox', { name: 'Draft model' }).press('Tab');
  await expect(command).toContainText('-md Qwen3-0.6B-Q4_K_M.gguf');
  await expect(page).toHaveURL(/o\.draft_model=qwen3-0\.6b/);
});

test('expert settings give the command of a server too', async ({ page }) => {
  await open(page, '#v=1&m=qwen3-8b&ctx=8k&n=4&g=2xrtx-3090&util=0.85');
  await page.locator('.expert summary').click();
  await expect(page.locator('.expert-flags')).toHaveText(
    'vllm serve Qwen/Qwen3-8B --tensor-parallel-size 2 --gpu-memory-utilization 0.85 --max-model-len 8192 --max-num-seqs 4',
  );
  await page.getByRole('textbox', { name: 'Pipeline parallel' }).fill('2');
  await expect(page.locator('.expert-flags')).toContainText(
    'vllm serve Qwen/Qwen3-8B --pipeline-parallel-size 2 --gpu',
  );
  await page.getByRole('textbox', { name: 'Average length of a request' }).fill('2000');
  await expect(page).toHaveURL(/n=4&.*avg=2000&pp=2/);
});

test('a model over two machines has a command for each of them', async ({ page }) => {
  await open(page, '#v=1&m=deepseek-r1-distill-llama-70b&ctx=8k&n=4&g=16xh100');
  await page.locator('.expert summary').click();
  await page.getByRole('textbox', { name: 'Machines (nodes)' }).fill('2');
  await expect(page.locator('.expert-flags')).toHaveText([
    /--tensor-parallel-size 8 --pipeline-parallel-size 2 .* --nnodes 2 --node-rank 0 --master-addr HEAD_IP$/,
    /--nnodes 2 --node-rank 1 --master-addr HEAD_IP --headless$/,
  ]);
  await expect(page).toHaveURL(/nodes=2/);
  await page.getByRole('textbox', { name: 'Machines (nodes)' }).fill('3');
  await expect(verdict(page)).toHaveAttribute('data-verdict', 'impossible');
});

test('more layers than there are: all of them, and a word about it', async ({ page }) => {
  await open(page, '#v=1&m=qwen3-8b&w=q4_k_m&n=1&ctx=8k&g=1xrtx-4090&e=llama.cpp&ngl=999');
  await expect(page.getByText('999 means all of them')).toBeVisible();
  await expect(verdict(page)).toHaveAttribute('data-verdict', 'fits');
});

test('a Mac can give its GPU more than the system does by default', async ({ page }) => {
  await open(page);
  await page.getByRole('button', { name: 'Mac 64 GB' }).click();
  await expect(headline(page)).toContainText('Llama-3.3-70B-Instruct fits on');
  const before = Number((await page.locator('.facts dd').first().textContent())?.replaceAll(',', ''));
  await page.getByRole('checkbox', { name: /GPU limit raised/ }).check();
  await expect(page.getByText('iogpu.wired_limit_mb')).toBeVisible();
  await expect(page).toHaveURL(/raised=1/);
  await expect
    .poll(async () => Number((await page.locator('.facts dd').first().textContent())?.replaceAll(',', '')))
    .toBeGreaterThan(before);
});

test('layers in system memory of unknown size: neither fits nor does not, until it is given', async ({ page }) => {
  await open(page, '#v=1&m=deepseek-r1&w=q4_k_m&ctx=4k&n=1&g=1xrtx-4090&e=llama.cpp&ngl=0');
  await expect(verdict(page)).toHaveAttribute('data-verdict', 'unknown');
  await expect(verdict(page)).toContainText('Give yours');
  await page.getByRole('textbox', { name: 'System memory, GiB' }).fill('512');
  await expect(verdict(page)).toHaveAttribute('data-verdict', 'offload');
});

test('too little system memory is what the sentence is about', async ({ page }) => {
  await open(page, '#v=1&m=qwen3-8b&w=q4_k_m&n=1&ctx=8k&g=1xrtx-4090&ram=2&e=llama.cpp&ngl=20');
  await expect(verdict(page)).toHaveAttribute('data-verdict', 'no');
  await expect(verdict(page)).toContainText('of system memory');
  await expect(verdict(page)).not.toContainText('fewest');
});
