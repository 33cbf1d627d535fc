// SPDX-License-Identifier: Apache-2.0
// The default answer, what it is made of, and that every input changes it.
import { choose, expect, headline, open, test, verdict } from './page';

test('the first answer stands in the HTML of both languages without any script', async ({ browser, baseURL }) => {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(baseURL ?? '');
  await expect(headline(page)).toHaveText('DeepSeek-R1 fits on 8 × H200');
  await expect(page.locator('.bar-fill rect').first()).toBeVisible();
  await expect(page).toHaveTitle(/^DeepSeek-R1 fits on 8 × H200/);
  await page.goto(`${baseURL}zh/`);
  await expect(page.locator('html')).toHaveAttribute('lang', 'zh-CN');
  await expect(headline(page)).toContainText('8 × H200');
  await context.close();
});

test('what the core counts in the browser is what stood in the HTML', async ({ page }) => {
  await page.goto('');
  const before = await page.evaluate(() => document.querySelector('main')?.textContent);
  await page.waitForFunction(() => performance.getEntriesByName('weighbridge:ready').length > 0);
  const settled = page.locator('main');
  await expect(settled).toContainText('DeepSeek-R1 fits on 8 × H200');
  const withoutAnnouncement = (text: string | null | undefined): string => (text ?? '').split('not measured')[0] ?? '';
  expect(withoutAnnouncement(await settled.textContent())).toBe(withoutAnnouncement(before));
});

test('the math of the cache multiplies out to the bytes shown', async ({ page }) => {
  await open(page);
  await page.getByRole('button', { name: 'Show the math: KV cache' }).click();
  await expect(page.locator('.math-kv')).toBeVisible();
  const factors = await page.locator('.math-kv .math-row').first().locator('.factor:not(.result) b').allTextContents();
  expect(factors).toEqual(['61', '576', '2', '32,768', '16']);
  const product = factors.map((text) => BigInt(text.replaceAll(',', ''))).reduce((all, factor) => all * factor);
  expect(product).toBe(36_842_766_336n);
  await expect(page.locator('.math-kv .math-row').first()).toContainText('36,842,766,336');
  await expect(page.locator('.math-kv')).toContainText('every GPU holds all of it');
  await expect(page.locator('.math-kv .source a')).toHaveAttribute(
    'href',
    /^https:\/\/github\.com\/vllm-project\/vllm/,
  );
});

test('the rows of the table add up to its total as shown', async ({ page }) => {
  for (const hash of [
    '',
    '#v=1&m=deepseek-r1-distill-qwen-7b&g=1xrtx-4090&n=1',
    '#v=1&m=article-7b&w=int8&ctx=2k&n=1&g=1xagx-orin-64gb&e=article',
  ]) {
    await page.goto('about:blank');
    await open(page, hash);
    const cells = await page.locator('.table tbody tr:not(.sub) td:nth-child(2)').allTextContents();
    const total = await page.locator('.table tfoot td').first().textContent();
    const digits = (total ?? '').split('.')[1]?.length ?? 0;
    expect(cells.reduce((sum, cell) => sum + Number(cell.replaceAll(',', '')), 0).toFixed(digits)).toBe(
      (total ?? '').replaceAll(',', ''),
    );
  }
});

test('segments of the bar are as wide as their bytes, and the limit stands where it is', async ({ page }) => {
  await open(page);
  const device = await page.evaluate(
    () => JSON.parse(document.getElementById('first')?.textContent ?? '{}').answer.devices[0],
  );
  const bar = await page.locator('.bar-fill').boundingBox();
  const weights = await page.locator('.bar-fill .fill-weights').boundingBox();
  const limit = await page.locator('.bar-limit line').boundingBox();
  const scale = Math.max(device.capacity_bytes, device.total_bytes);
  const bytes = device.terms.find((term: { id: string }) => term.id === 'weights').bytes;
  expect(Math.abs((weights?.width ?? 0) - (bytes / scale) * (bar?.width ?? 0))).toBeLessThan(3); // the gap's stroke
  expect(Math.abs((limit?.x ?? 0) - (bar?.x ?? 0) - (device.limit_bytes / scale) * (bar?.width ?? 0))).toBeLessThan(2);
});

test('no label of the bar reaches into the next segment, however wide the page is', async ({ page }) => {
  let seen = 0;
  // Nine requests have a cache of 13.8 % of the card, which is as little as a label is for.
  for (const path of ['#v=1&n=9', 'zh/#v=1&n=9', '#v=1&n=9&unit=gb']) {
    await page.goto('about:blank');
    await open(page, path);
    for (let width = 320; width <= 1600; width += 80) {
      await page.setViewportSize({ width, height: 900 });
      const overhangs = await page.evaluate(() =>
        [...document.querySelectorAll('.bar-fill text')].flatMap((text) => {
          const label = text.getBoundingClientRect();
          const part = text.getAttribute('class')?.replace('label', 'fill');
          const segment = text.parentElement?.querySelector(`.${part}`)?.getBoundingClientRect();
          return label.width > 0 && segment ? [label.right - segment.right] : [];
        }),
      );
      seen += overhangs.length;
      expect(Math.max(...overhangs, -1), `${path} at ${width}`).toBeLessThan(0);
    }
  }
  expect(seen).toBeGreaterThan(60);
});

test.describe('each input', () => {
  test('model, from the list', async ({ page }) => {
    await open(page);
    const model = page.getByRole('combobox', { name: 'Model' });
    await model.fill('distill llama 70');
    await expect(page.locator('.options:visible [role=option]')).toHaveCount(1);
    await model.press('Enter');
    await expect(headline(page)).toHaveText('DeepSeek-R1-Distill-Llama-70B fits on 8 × H200');
    await expect(page).toHaveURL(/#v=1&m=deepseek-r1-distill-llama-70b$/);
  });

  test('weights', async ({ page }) => {
    await open(page);
    await choose(page, page.getByRole('radio', { name: /BF16/ }));
    await expect(headline(page)).toHaveText('DeepSeek-R1 does not fit on 8 × H200');
    await expect(page.locator('.facts')).toContainText('fewest H200');
    await expect(page).toHaveURL(/w=bf16/);
  });

  test('context, by number, in every way people write it', async ({ page }) => {
    await open(page);
    const field = page.getByLabel('Context length, number');
    for (const [typed, link] of [
      ['128k', '128k'],
      ['65,536', '64k'],
      ['8×1024', '8k'],
      ['2500', '2500'],
    ] as const) {
      await field.fill(typed);
      await expect(page).toHaveURL(new RegExp(`ctx=${link}`));
    }
    await field.blur();
    await expect(field).toHaveValue('2,500');
  });

  test('context, by slider and keyboard', async ({ page }) => {
    await open(page);
    const slider = page.getByRole('slider', { name: 'Context length' });
    await expect(slider).toHaveAttribute('aria-valuetext', '32,768 tokens');
    await slider.press('PageUp');
    await expect(slider).toHaveAttribute('aria-valuetext', '65,536 tokens');
    await expect(headline(page)).toHaveText('DeepSeek-R1 does not fit on 8 × H200');
    await slider.press('ArrowLeft');
    await expect(slider).toHaveAttribute('aria-valuetext', '61,440 tokens');
  });

  test('requests', async ({ page }) => {
    await open(page);
    await page.getByLabel('Requests at the same time, number').fill('40');
    await expect(headline(page)).toHaveText('DeepSeek-R1 does not fit on 8 × H200');
    await page.getByLabel('Requests at the same time, number').fill('4');
    await expect(headline(page)).toHaveText('DeepSeek-R1 fits on 8 × H200');
  });

  test('GPUs, kind and count', async ({ page }) => {
    await open(page);
    const gpu = page.getByRole('combobox', { name: 'GPUs', exact: true });
    await gpu.fill('b200');
    await expect(page.locator('.options:visible [role=option]').first()).toContainText('NVIDIA B200 SXM');
    await gpu.press('Enter');
    await expect(headline(page)).toHaveText('DeepSeek-R1 fits on 8 × B200');
    for (let i = 0; i < 4; ++i) await page.getByRole('button', { name: 'One fewer' }).click();
    await expect(page).toHaveURL(/g=4xb200/);
    await expect(headline(page)).toContainText('4 × B200');
  });

  test('a whole machine, with its system memory and what an hour costs', async ({ page }) => {
    await open(page);
    const gpu = page.getByRole('combobox', { name: 'GPUs', exact: true });
    await gpu.fill('p5.48xlarge');
    await page.getByRole('option', { name: /^AWS p5\.48xlarge/ }).click();
    await expect(page).toHaveURL(/g=8xh100&ram=2048/);
    await expect(page.getByText(/^AWS p5\.48xlarge: 8 × H100 .* an hour \(us-east-1, 2026-07-20\)$/)).toBeVisible();
  });

  test('what is known of a GPU, and how', async ({ page }) => {
    await open(page, '#v=1&g=1xrtx-4060-laptop');
    await page.getByText('What we know of it').click();
    await expect(page.getByRole('definition').filter({ hasText: '8,188 MiB' })).toContainText('second-hand');
    await expect(page.locator('.device-facts')).toContainText('256 GB/s = 128 bit × 16 Gbit/s');
  });

  test('a GPU that the catalogue lacks, by its memory', async ({ page }) => {
    await open(page);
    const gpu = page.getByRole('combobox', { name: 'GPUs', exact: true });
    await gpu.fill('192 GiB');
    await expect(page.locator('.options:visible [role=option]').first()).toContainText('192.0 GiB');
    await gpu.press('Enter');
    await expect(page).toHaveURL(/g=8x192gib/);
    await expect(verdict(page)).toHaveAttribute('data-verdict', 'fits');
  });

  test('engine', async ({ page }) => {
    await open(page);
    await choose(page, page.getByRole('radio', { name: 'Rule of thumb' }));
    await page.getByRole('button', { name: 'Show the math: KV cache' }).click();
    await expect(page.locator('.math')).toContainText('leaves out the number of layers');
    await expect(page).toHaveURL(/e=article/);
  });

  test('expert settings, and back to the default', async ({ page }) => {
    await open(page);
    await page.locator('.expert summary').click();
    await page.getByRole('textbox', { name: 'Memory share' }).fill('0.5');
    await expect(headline(page)).toHaveText('DeepSeek-R1 does not fit on 8 × H200');
    await expect(page.locator('.expert summary')).toContainText('1 changed');
    await expect(page).toHaveURL(/util=0.5/);
    await page.getByRole('button', { name: 'Back to the default: Memory share' }).click();
    await expect(headline(page)).toHaveText('DeepSeek-R1 fits on 8 × H200');
    await page.getByRole('combobox', { name: 'KV cache type' }).selectOption('fp8');
    await expect(page).toHaveURL(/kv=fp8/);
    await page.getByRole('textbox', { name: 'Already in use on each H200' }).fill('20');
    await expect(page).toHaveURL(/used=20/);
    await expect(headline(page)).toHaveText('DeepSeek-R1 does not fit on 8 × H200');
    await page.getByRole('button', { name: /Set gpu_memory_utilization to/ }).click();
    await expect(headline(page)).not.toHaveText('DeepSeek-R1 does not fit on 8 × H200');
  });

  test('another model that runs there, in the link too', async ({ page }) => {
    await open(page, '#v=1&m=deepseek-r1-distill-llama-70b&w=gguf:q4_k_m&e=llama.cpp&n=1&ctx=8k&g=2xrtx-3090');
    await expect(headline(page)).toHaveText('DeepSeek-R1-Distill-Llama-70B fits on 2 × RTX 3090');
    await page.locator('.expert summary').click();
    await page.getByRole('button', { name: '+ another model runs here' }).click();
    await expect(page.locator('.device').first()).toContainText(/Qwen3-8B takes \d/);
    await expect(verdict(page)).not.toHaveAttribute('data-verdict', 'fits');
    await expect(page).toHaveURL(/run\.1=/);
    await page.reload();
    await expect(page.locator('.device').first()).toContainText(/Qwen3-8B takes \d/);
    await page.locator('.expert summary').click();
    const other = page.getByRole('group', { name: 'Already running here, 1' });
    await other.getByRole('combobox', { name: 'Engine' }).selectOption('vllm');
    // A server takes its share of the card, whatever the model needs.
    await expect(page.locator('.device').first()).toContainText(/Qwen3-8B takes 2\d/);
    await other.getByRole('button', { name: 'Qwen3-8B does not run here' }).click();
    await expect(headline(page)).toHaveText('DeepSeek-R1-Distill-Llama-70B fits on 2 × RTX 3090');
    await expect(page).not.toHaveURL(/run\.1=/);
  });

  test('another engine of a model that runs there begins with its own settings', async ({ page }) => {
    const other = encodeURIComponent('v=1&m=qwen3-8b&w=gguf:q4_k_m&kv=q8_0&n=1&ctx=8k&e=llama.cpp');
    await open(page, `#v=1&m=deepseek-r1-distill-llama-70b&w=gguf:q4_k_m&e=llama.cpp&g=4xrtx-3090&run.1=${other}`);
    await expect(page.locator('.device').first()).toContainText(/Qwen3-8B takes \d/);
    await page.locator('.expert summary').click();
    const first = page.getByRole('group', { name: 'Already running here, 1' });
    await first.getByRole('combobox', { name: 'Engine' }).selectOption('vllm');
    // vLLM with the checkpoint is what a link means where it says nothing.
    await expect(page).toHaveURL(/run\.1=v%3D1%26m%3Dqwen3-8b%26ctx%3D8k%26n%3D1$/);
    await expect(page.locator('.notice.bad')).toHaveCount(0);
  });

  test('what is half typed stays with its model when one before it goes', async ({ page }) => {
    await open(page, '#v=1&m=deepseek-r1-distill-llama-70b&w=gguf:q4_k_m&e=llama.cpp&n=1&ctx=8k&g=8xrtx-3090');
    await page.locator('.expert summary').click();
    const more = page.getByRole('button', { name: '+ another model runs here' });
    await more.click();
    await more.click();
    const context = (number: number) =>
      page.getByRole('group', { name: `Already running here, ${number}` }).getByRole('textbox', { name: 'Context' });
    await context(1).fill('x');
    await context(2).fill('12 k?');
    await page.getByRole('button', { name: 'Qwen3-8B does not run here' }).first().click();
    await expect(context(1)).toHaveValue('12 k?');
    await expect(context(2)).toHaveCount(0);
    await expect(more).toBeFocused();
  });

  test('reset', async ({ page }) => {
    await open(page, '#v=1&m=deepseek-v3&n=2');
    await page.getByRole('button', { name: 'Reset' }).click();
    await expect(page).toHaveURL(/\/$/);
    await expect(headline(page)).toHaveText('DeepSeek-R1 fits on 8 × H200');
  });

  test('units, theme and language keep the settings', async ({ page }) => {
    await open(page, '#v=1&n=4');
    await page.getByRole('button', { name: /switch to GB/ }).click();
    await expect(page.locator('.device-total b')).toContainText('GB');
    await expect(page).toHaveURL(/unit=gb/);
    await page.getByRole('button', { name: 'Switch between light and dark' }).click();
    await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
    await page.getByRole('link', { name: '中文' }).click();
    await expect(page).toHaveURL(/\/zh\/#v=1&n=4&unit=gb/);
    await expect(page.getByLabel('同时处理的请求数，数值')).toHaveValue('4');
    await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  });
});

test('where Ollama would take another context than was counted, its own is one tap away', async ({ page }) => {
  await open(page, '#v=1&m=llama-3.1-8b-instruct&g=2xrtx-3090&e=ollama');
  const notice = page.locator('#answer li', { hasText: 'its default context is 262,144 tokens' });
  await notice.getByRole('button', { name: 'Use 131,072 tokens' }).click();
  await expect(page).toHaveURL(/ctx=128k/);
  await expect(page.getByLabel('Context length, number')).toHaveValue('131,072');
  await expect(notice).toBeVisible();
  await expect(notice.getByRole('button')).toHaveCount(0);
});
