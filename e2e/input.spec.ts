// SPDX-License-Identifier: Apache-2.0
// What people bring along: files, pasted text, links; also the broken ones. The input stays, the last good answer stays in sight.
import { choose, expect, fixture, headline, open, test, verdict } from './page';

const kConfig = fixture('deepseek-r1.config.json');
const kFile = 'Model files from this device';
const json = (text: string, name = 'config.json') => ({
  name,
  mimeType: 'application/json',
  buffer: Buffer.from(text),
});
const changed = (keys: Record<string, unknown>): string => JSON.stringify({ ...JSON.parse(kConfig), ...keys });

test('a dropped config.json of DeepSeek-R1 gives the very figures of the catalogue', async ({ page }) => {
  await open(page);
  const figures = await page.locator('.facts dd').allTextContents();
  const transfer = await page.evaluateHandle((text) => {
    const data = new DataTransfer();
    data.items.add(new File([text], 'config.json', { type: 'application/json' }));
    return data;
  }, kConfig);
  await page.dispatchEvent('body', 'drop', { dataTransfer: transfer });
  await expect(headline(page)).toHaveText('deepseek_v3 671B fits on 8 × H200');
  expect(await page.locator('.facts dd').allTextContents()).toEqual(figures);
});

test('a config.json can be picked, or pasted into the model field', async ({ page }) => {
  await open(page);
  await page.getByLabel(kFile).setInputFiles(json(changed({ num_hidden_layers: 30 })));
  await expect(headline(page)).toContainText('deepseek_v3 3');
  await page.getByRole('combobox', { name: 'Model' }).focus();
  await page.evaluate((text) => {
    const data = new DataTransfer();
    data.setData('text/plain', text);
    document.activeElement?.dispatchEvent(
      new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }),
    );
  }, kConfig);
  await expect(headline(page)).toHaveText('deepseek_v3 671B fits on 8 × H200');
});

test('a file that is no model gets one sentence, and changes nothing', async ({ page }) => {
  await open(page);
  for (const [text, sentence] of [
    ["{\n  'hidden_size': 4096\n}", /not valid JSON/],
    ['{"model_type":"foo_bar","hidden_size":64}', /foo_bar/],
    [changed({ num_attention_heads: 0 }), /num_attention_heads.*from 1 to .*got 0/],
    [changed({ num_hidden_layers: -1 }), /num_hidden_layers.*got -1/],
    [changed({ hidden_size: 1e18 }), /hidden_size/],
    [JSON.stringify({ model_type: 'llama', hidden_size: 4096 }), /is missing/],
  ] as const) {
    await page.getByLabel(kFile).setInputFiles(json(text));
    await expect(page.locator('.notice.bad')).toContainText(sentence);
    await expect(page.locator('#message-model')).toContainText(sentence);
    await expect(page.getByRole('combobox', { name: 'Model' })).toHaveValue('DeepSeek-R1');
    await expect(page.locator('.outside')).toHaveCount(0);
    await expect(headline(page)).toHaveText('DeepSeek-R1 fits on 8 × H200');
  }
});

test('a file of another kind is named', async ({ page }) => {
  await open(page);
  await page
    .getByLabel(kFile)
    .setInputFiles({ name: 'notes.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF') });
  await expect(page.locator('.notice.bad')).toContainText('notes.pdf');
});

test('numbers that cannot be stay in their fields, with a sentence, over the last good answer', async ({ page }) => {
  await open(page);
  const context = page.getByLabel('Context length, number');
  for (const typed of ['0', '1000000000']) {
    await context.fill(typed);
    await expect(page.locator('#message-context')).toContainText(/from 1 to 163,840/);
    await expect(verdict(page)).toHaveAttribute('data-stale', 'true');
    await expect(headline(page)).toHaveText('DeepSeek-R1 fits on 8 × H200');
  }
  await context.fill('many');
  await expect(page.getByText('“many” is not a number we can read.')).toBeVisible();
  await context.blur();
  await expect(context).toHaveValue('many');
  await context.fill('16k');
  await expect(verdict(page)).not.toHaveAttribute('data-stale', 'true');
});

test('a split that the heads do not allow is refused with the nearest one', async ({ page }) => {
  await open(page, '#v=1&g=6xh200');
  await expect(headline(page)).toHaveText('vLLM cannot run DeepSeek-R1 this way on 6 × H200');
  await expect(verdict(page)).toContainText('num_attention_heads');
  await expect(verdict(page)).toContainText('6');
  await page.getByRole('button', { name: /^Use \d × H200$/ }).click();
  await expect(headline(page)).not.toContainText('cannot run');
});

test('what an engine refuses has the nearest setting that it takes as a button', async ({ page }) => {
  const take = async (link: string, name: string) => {
    await open(page, link);
    await expect(verdict(page)).toHaveAttribute('data-verdict', 'impossible');
    await page.getByRole('button', { name, exact: true }).click();
    await expect(verdict(page)).not.toHaveAttribute('data-verdict', 'impossible');
  };
  await take('#v=1&m=qwen3-8b&e=vllm&g=1xrtx-3090+2xrtx-4090', 'Use 2 × RTX 4090');
  await take('#v=1&m=gpt-oss-20b&e=vllm@0.9&g=1xh100-sxm', 'Use vLLM 0.10');
  await take(
    '#v=1&m=gemma-3-4b-it&e=vllm&g=8xh100-sxm&o.decode_context_parallel_size=2',
    'Set decode_context_parallel_size to 1',
  );
  await take('#v=1&m=qwen3-8b&e=vllm@0.9&g=1xh100-sxm&o.block_size=48', 'Set block_size to 64');
  await take('#v=1&m=qwen3-8b&e=vllm&g=1xh100-sxm&o.speculative_method=egale3', 'Set speculative_method to eagle3');
  await take('#v=1&m=qwen3-8b&e=vllm&g=1xh100-sxm&o.kv_cache_dtype=fp8_e4m4', 'Use the fp8 cache');
  await take('#v=1&m=qwen3-8b&w=q4f16_1&e=web-llm&ctx=4k&n=4&g=1xrtx-4090', 'Use 1 request');
});

test.describe('links', () => {
  test('restore everything in another window', async ({ page, context }) => {
    await context.grantPermissions(['clipboard-read', 'clipboard-write']);
    await open(page);
    await page.getByRole('combobox', { name: 'Model' }).fill('qwen 32b');
    await page.getByRole('combobox', { name: 'Model' }).press('Enter');
    await choose(page, page.getByRole('radio', { name: /INT4/ }));
    await page.getByLabel('Context length, number').fill('20000');
    await page.getByLabel('Requests at the same time, number').fill('3');
    await page.locator('.expert summary').click();
    await page.getByRole('textbox', { name: 'Tokens a step' }).fill('4096');
    await page.getByRole('checkbox', { name: 'No CUDA graphs' }).check();
    await page.getByRole('button', { name: 'Share' }).click();
    await page.getByRole('button', { name: 'Copy link' }).click();
    await expect(page.getByText('Copied.')).toBeVisible();
    const link = await page.evaluate(() => navigator.clipboard.readText());
    const colleague = await context.newPage();
    await open(colleague, link);
    await expect(headline(colleague)).toHaveText((await headline(page).textContent()) ?? '');
    expect(await colleague.locator('.facts dd').allTextContents()).toEqual(
      await page.locator('.facts dd').allTextContents(),
    );
    await expect(colleague.getByLabel('Context length, number')).toHaveValue('20,000');
    await expect(colleague.locator('.expert summary')).toContainText('2 changed');
  });

  test('carry a model of one’s own', async ({ page, context }) => {
    await open(page);
    await page.getByLabel(kFile).setInputFiles(json(changed({ num_hidden_layers: 30 })));
    await expect(page).toHaveURL(/#v=1&c=z/);
    const colleague = await context.newPage();
    await open(colleague, page.url());
    await expect(headline(colleague)).toHaveText((await headline(page).textContent()) ?? '');
    expect(page.url().length).toBeLessThan(1000);
  });

  test('keep what this version does not know, and say so', async ({ page }) => {
    await open(page, '#v=1&m=deepseek-r1&foo=3&n=4');
    await expect(page.locator('.notice.warn')).toContainText('foo=3');
    await expect(page.locator('.notice.warn')).toBeFocused();
    await page.getByLabel('Requests at the same time, number').fill('5');
    await expect(page).toHaveURL(/n=5&foo=3$/);
  });

  test('with a fault in them: the rest counts, the part is named', async ({ page }) => {
    await open(page);
    for (const [hash, sentence] of [
      ['v=1&ctx=9999999', /ctx=9999999.*163,840/],
      ['v=1&ctx=0', /ctx=0/],
      ['v=1&n=1000000000', /n=1000000000/],
      ['v=1&g=8xh300', /h300/],
      ['v=1&m=gpt-9', /gpt-9/],
      ['v=1&c=zdamaged', /damaged/],
      ['v=1&w=int3', /int3/],
      ['v=1&e=warp', /warp.*vllm.*sglang/],
      ['v=99', /newer/],
    ] as const) {
      await page.evaluate((to) => (location.hash = to), hash);
      await expect(page.locator('.notice.warn')).toContainText(sentence);
      await expect(headline(page)).toContainText('DeepSeek-R1');
    }
  });

  test('stay as they came until something changes', async ({ page }) => {
    await open(page, '#v=1&m=gpt-9&ctx=64k&g=4xh300');
    await page.waitForTimeout(600); // twice the delay of writing
    expect(page.url()).toContain('#v=1&m=gpt-9&ctx=64k&g=4xh300');
    await page.getByLabel('Requests at the same time, number').fill('5');
    await expect(page).toHaveURL(/#v=1&ctx=64k&n=5$/);
  });

  test('with hostile text create nothing', async ({ page }) => {
    const kHostile = '%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E';
    await open(page, `#v=1&m=${kHostile}`);
    for (const key of ['m', 'g', 'e', 'w', 'ctx', 'n', 'c', 'kv', 'x']) {
      await page.evaluate((to) => (location.hash = to), `v=1&${key}=${kHostile}`);
      // A cache type is refused by the engine, all else by the reader of links.
      const says = page.locator(key === 'kv' ? '.verdict' : '.notice.warn');
      await expect(says).toContainText(key === 'c' ? 'damaged' : 'onerror');
      await expect(page.locator('img')).toHaveCount(0);
    }
  });

  test('typed into the address bar are followed', async ({ page }) => {
    await open(page);
    await page.evaluate(() => (location.hash = '#v=1&m=deepseek-v3'));
    await expect(headline(page)).toHaveText('DeepSeek-V3 fits on 8 × H200');
  });
});

test.describe('without WebAssembly', () => {
  test.use({ allow: /counting core did not load|no native wasm/ });
  test('the stored answer stays, and says that changes do not count', async ({ page }) => {
    await page.addInitScript(() => {
      Object.defineProperty(globalThis, 'WebAssembly', { value: undefined });
    });
    await page.goto('');
    await expect(page.locator('.notice.warn')).toContainText('blocks WebAssembly');
    await expect(headline(page)).toHaveText('DeepSeek-R1 fits on 8 × H200');
  });
});

test.describe('with a file missing on the server', () => {
  test.use({ allow: /counting core did not load|404/ });
  test('the page says so', async ({ page }) => {
    await page.route('**/models-*.json', (route) => route.fulfill({ status: 404 }));
    await page.goto('');
    await expect(page.locator('.notice.warn')).toContainText('did not load');
  });
});

test('what runs on a card already is added in one tap, and no more of it than the card has', async ({ page }) => {
  await open(page, 'zh/#v=1&m=qwen3-8b&g=1xrtx-4090&e=llama.cpp');
  await page.locator('.expert summary').click();
  await page.getByRole('button', { name: '+ Windows 桌面 3' }).click();
  await page.getByRole('button', { name: '+ ComfyUI 与 SDXL 7.7' }).click();
  await expect(page).toHaveURL(/used=10\.7/);
  await page.getByRole('textbox', { name: /已被占用/ }).fill('64');
  await expect(page.locator('.notice.plain')).toContainText(
    /RTX 4090 共 23\.\d\d GiB：已占用的按此计算，而不是 64\.00 GiB/,
  );
  await expect(verdict(page)).toHaveAttribute('data-verdict', 'no');
});
