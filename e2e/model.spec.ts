// SPDX-License-Identifier: Apache-2.0
// Any model: found in the catalogue, read from files, or read from Hugging Face once a button that names the host is pressed.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { box, button, kAsked, offer, options, panel, test } from './hub';
import { strangeGguf } from '../tests/web/support/models';
import { axe, expect, fixture, headline, open } from './page';

const kConfig = fixture('deepseek-r1.config.json');
test.describe('in the catalogue', () => {
  test('a model is found with a typing error, and by the keyboard alone', async ({ page }) => {
    await open(page);
    await box(page).press('ArrowDown');
    await expect(options(page).first()).toContainText('671B');
    await box(page).fill('depseek v3');
    await expect(options(page).first()).toContainText('DeepSeek-V3');
    await box(page).press('Enter');
    await expect(headline(page)).toContainText('DeepSeek-V3');
  });
  test('what is not there gets a way on, and the list stays accessible', async ({ page }) => {
    await open(page);
    await box(page).click();
    await box(page).fill('xyzzy');
    await expect(options(page)).toHaveText([/Nothing here is called “xyzzy”\. Type its Hugging Face name/]);
    expect((await axe(page).analyze()).violations).toEqual([]);
    await box(page).press('Enter');
    await expect(headline(page)).toHaveText('DeepSeek-R1 fits on 8 × H200');
  });
});

test.describe('of Hugging Face', () => {
  test('nothing is asked until a button with the name of the host is pressed', async ({ page, hub }) => {
    const before = hub.asked.length;
    await offer(page, 'plain/model');
    await expect(panel(page)).toContainText('download servers then see your address');
    expect((await axe(page).analyze()).violations).toEqual([]);
    await page.waitForTimeout(300);
    expect(hub.asked.slice(before)).toEqual([]);
    await button(page, 'Cancel').click();
    await expect(panel(page)).toHaveCount(0);
    await expect(box(page)).toBeFocused();
  });

  test.describe('once it is pressed', () => {
    test.use({ allow: kAsked });

    test('the model is read, and nothing but config.json and headers is asked for', async ({ page, hub }) => {
      const before = hub.asked.length;
      await offer(page, 'https://huggingface.co/plain/model/tree/main');
      await button(page, 'Read from huggingface.co').click();
      await expect(headline(page)).toHaveText('plain/model fits on 8 × H200');
      await expect(panel(page)).toHaveCount(0);
      await expect(box(page)).toBeFocused();
      for (const asked of hub.asked.slice(before))
        expect(asked).toMatch(/^\S+ (\/cdn)?\/plain\/model\/resolve\/main\/[\w.]+ bytes=\d+-\d+$/);
      await page.getByRole('button', { name: 'Reset' }).click();
      await expect(headline(page)).toHaveText('DeepSeek-R1 fits on 8 × H200');
    });

    test('the mirror is the second choice, and the only host that is asked then', async ({ page, hub }) => {
      const before = hub.asked.length;
      await offer(page, 'plain/model');
      await button(page, 'Read from hf-mirror.com').click();
      await expect(headline(page)).toHaveText('plain/model fits on 8 × H200');
      expect(hub.asked.slice(before).filter((asked) => asked.startsWith('huggingface.co'))).toEqual([]);
    });

    for (const [owner, sentence] of [
      ['gated', /This model is gated: huggingface\.co gives it only to people who are logged in/],
      ['private', /huggingface\.co asks for a login/],
      ['missing', /huggingface\.co has no model of that name/],
      ['new', /not this branch or version/],
      ['empty', /`?empty\/model`? on huggingface\.co has no config\.json.*ends in \.gguf/],
      ['busy', /Wait a minute/],
      ['broken', /error 500/],
      ['cut', /sent less of config\.json than it announced/],
      ['closed', /could not be reached, or it does not let other sites read/],
    ] as const)
      test(`one that is ${owner} gets its own sentence, changes nothing, and can be tried again`, async ({ page }) => {
        await offer(page, `${owner}/model`);
        await button(page, 'Read from huggingface.co').click();
        await expect(page.locator('.notice.bad')).toContainText(sentence);
        await expect(page.locator('#message-model')).toContainText(sentence);
        await expect(headline(page)).toHaveText('DeepSeek-R1 fits on 8 × H200');
        await expect(button(page, 'Try huggingface.co again')).toBeFocused();
        if (owner === 'gated') expect((await axe(page).analyze()).violations).toEqual([]);
        await button(page, 'Close').click();
        await expect(panel(page)).toHaveCount(0);
      });

    test('a slow one can be cancelled, and the rest of the page is free meanwhile', async ({ page }) => {
      await offer(page, 'slow/model');
      await button(page, 'Read from huggingface.co').click();
      await expect(panel(page).getByRole('status')).toContainText('huggingface.co');
      await expect(button(page, 'Cancel')).toBeFocused();
      await page.getByLabel('Requests at the same time, number').fill('3');
      await expect(headline(page)).toHaveText('DeepSeek-R1 fits on 8 × H200');
      await expect(page.locator('.facts')).toContainText('3 requests');
      await button(page, 'Cancel').click();
      await expect(button(page, 'Read from huggingface.co')).toBeVisible();
      await expect(page.locator('.notice.bad')).toHaveCount(0);
    });

    test('a slow one is given up when another model is chosen', async ({ page }) => {
      await offer(page, 'slow/model');
      await button(page, 'Read from huggingface.co').click();
      await box(page).fill('deepseek v3');
      await box(page).press('Enter');
      await expect(panel(page)).toHaveCount(0);
      await expect(headline(page)).toContainText('DeepSeek-V3');
    });

    test('without a network it says so', async ({ page, context }) => {
      await offer(page, 'plain/model');
      await expect.poll(() => page.workers().length).toBe(1);
      await context.setOffline(true);
      await button(page, 'Read from huggingface.co').click();
      await expect(page.locator('#message-model')).toContainText('You are offline. Drop the file instead.');
    });
  });

  test.describe('the policy of the page', () => {
    test.use({
      allow: new RegExp(
        `${kAsked.source}|foreign request: https://elsewhere|policy: connect-src|Content Security Policy|Refused to connect|Fetch API`,
      ),
    });
    test('keeps a redirect to another host from being followed', async ({ page, hub }) => {
      await offer(page, 'stray/model');
      await button(page, 'Read from huggingface.co').click();
      await expect(page.locator('#message-model')).toContainText('could not be reached');
      expect(hub.asked.filter((asked) => asked.startsWith('elsewhere'))).toEqual([]);
    });
  });
});

test.describe('with a part of the page missing on the server', () => {
  test.use({ allow: /Failed to load resource/ });
  test('it says so, and the list still finds models by their words', async ({ page }) => {
    await page.route(/\/(take|model-choices)-[^/]*\.js$/, (route) => route.fulfill({ status: 404 }));
    await open(page);
    await page.getByLabel('Model files from this device').setInputFiles({
      name: 'config.json',
      mimeType: 'application/json',
      buffer: Buffer.from(kConfig),
    });
    await expect(page.locator('#message-model')).toContainText('A part of this page did not load.');
    await box(page).fill('deepseek v3');
    await box(page).press('Enter');
    await expect(headline(page)).toContainText('DeepSeek-V3');
  });
});

test.describe('from this device', () => {
  test('several files are taken together; those that are no part of a model are left aside', async ({ page }) => {
    await open(page);
    await page.getByLabel('Model files from this device').setInputFiles([
      { name: 'README.md', mimeType: 'text/markdown', buffer: Buffer.from('# R1') },
      { name: 'tokenizer.json', mimeType: 'application/json', buffer: Buffer.from('{}') },
      { name: 'config.json', mimeType: 'application/json', buffer: Buffer.from(kConfig) },
    ]);
    await expect(headline(page)).toHaveText('deepseek_v3 671B fits on 8 × H200');
  });

  test('an index alone says what is missing, and changes nothing', async ({ page }) => {
    await open(page);
    await page.getByLabel('Model files from this device').setInputFiles({
      name: 'model.safetensors.index.json',
      mimeType: 'application/json',
      buffer: Buffer.from(
        '{"metadata":{"total_size":8},"weight_map":{"a":"model-00001-of-00002.safetensors","b":"model-00002-of-00002.safetensors"}}',
      ),
    });
    const sentence = 'This index lists 2 files. Drop config.json too, and we can count the cache.';
    await expect(page.locator('#message-model')).toContainText(sentence);
    await expect(headline(page)).toHaveText('DeepSeek-R1 fits on 8 × H200');
  });

  test('an architecture that nobody knows is counted with the layers that are entered', async ({ page }) => {
    await open(page);
    await page.getByLabel('Model files from this device').setInputFiles({
      name: 'x.gguf',
      mimeType: 'application/octet-stream',
      buffer: Buffer.from(strangeGguf()),
    });
    await expect(page.locator('#message-model')).toContainText(
      'foo_bar is new to us. Weights: 1.0 KiB, exact, from the tensor list. Cache: not known; enter layers, KV heads and head size, or choose a similar model.',
    );
    await expect(headline(page)).toHaveText('DeepSeek-R1 fits on 8 × H200');
    await page.getByLabel('Layers', { exact: true }).fill('24');
    await page.getByLabel('KV heads', { exact: true }).fill('2');
    expect((await axe(page).analyze()).violations).toEqual([]);
    await button(page, 'Count with these').click();
    await expect(page.getByLabel('Head size')).toHaveAttribute('aria-invalid', 'true');
    await page.getByLabel('Head size').fill('64');
    await button(page, 'Count with these').click();
    await expect(panel(page)).toHaveCount(0);
    await expect(page.locator('.notice.plain')).toContainText('24 layers that keep 2 heads of 64');
  });

  test('what config.json leaves out can be said in the expert settings', async ({ page }) => {
    await open(page);
    await page.getByLabel('Model files from this device').setInputFiles({
      name: 'config.json',
      mimeType: 'application/json',
      buffer: Buffer.from(
        JSON.stringify({
          model_type: 'llama',
          hidden_size: 4096,
          intermediate_size: 14336,
          num_hidden_layers: 32,
          num_attention_heads: 32,
          vocab_size: 128256,
          max_position_embeddings: 131072,
          torch_dtype: 'bfloat16',
        }),
      ),
    });
    const assumed =
      'config.json has no num_key_value_heads. We took 32 (same as attention heads). Change it in Expert settings.';
    await expect(page.locator('.notice.plain')).toContainText(assumed);
    await page.locator('.expert > summary').click();
    await page.getByRole('textbox', { name: 'KV heads of the model' }).fill('8');
    await page.getByRole('textbox', { name: 'KV heads of the model' }).press('Enter');
    await expect(page.locator('.notice.plain')).toHaveCount(0);
  });

  test('a whole folder is picked, and copies further down are left aside', async ({ page }) => {
    const folder = await mkdtemp(join(tmpdir(), 'weighbridge-'));
    await mkdir(join(folder, 'original'));
    await writeFile(join(folder, 'config.json'), kConfig);
    await writeFile(join(folder, 'tokenizer.json'), '{}');
    await writeFile(join(folder, 'original', 'config.json'), '{"not": "the model"}');
    await open(page);
    const dialogue = page.waitForEvent('filechooser');
    await page.getByRole('button', { name: 'Choose a folder' }).click();
    await (await dialogue).setFiles(folder);
    await expect(headline(page)).toHaveText('deepseek_v3 671B fits on 8 × H200');
    await expect(page.locator('.notice')).toHaveCount(0);
    await page.getByLabel('A model’s folder from this device').setInputFiles(join(folder, 'original'));
    await expect(page.locator('#message-model')).not.toBeEmpty(); // and it was this one that was left aside
    await rm(folder, { recursive: true });
  });

  test('a file is read in a worker, not on the page', async ({ page }) => {
    await open(page);
    expect(page.workers()).toEqual([]); // not before it is needed
    await page
      .getByLabel('Model files from this device')
      .setInputFiles({ name: 'config.json', mimeType: 'application/json', buffer: Buffer.from(kConfig) });
    await expect(headline(page)).toContainText('deepseek_v3');
    expect(page.workers()).toHaveLength(1);
  });

  test('a file is read where there are no workers', async ({ page }) => {
    await page.addInitScript(() => Object.defineProperty(globalThis, 'Worker', { value: undefined }));
    await open(page);
    await page
      .getByLabel('Model files from this device')
      .setInputFiles({ name: 'config.json', mimeType: 'application/json', buffer: Buffer.from(kConfig) });
    await expect(headline(page)).toContainText('deepseek_v3');
    expect(page.workers()).toEqual([]);
  });

  test('a reader that broke is replaced by a new one', async ({ page }) => {
    const config = { name: 'config.json', mimeType: 'application/json', buffer: Buffer.from(kConfig) };
    await page.addInitScript(() => {
      const send = Worker.prototype.postMessage;
      // The first errand is one that no module has.
      Worker.prototype.postMessage = function (message: unknown) {
        Worker.prototype.postMessage = send;
        send.call(this, { ...(message as object), errand: null });
      };
    });
    await open(page);
    await page.getByLabel('Model files from this device').setInputFiles(config);
    await expect(page.locator('#message-model')).toContainText('The part of this page that reads models did not load.');
    await page.getByLabel('Model files from this device').setInputFiles(config);
    await expect(headline(page)).toContainText('deepseek_v3');
  });

  test('a sandboxed frame, which has no origin and so no worker, reads the model of its link by itself', async ({
    page,
  }) => {
    await open(page);
    const config = JSON.stringify({ ...JSON.parse(kConfig), num_hidden_layers: 30 });
    await page
      .getByLabel('Model files from this device')
      .setInputFiles({ name: 'config.json', mimeType: 'application/json', buffer: Buffer.from(config) });
    await expect(page).toHaveURL(/#v=1&c=z/);
    const said = await headline(page).textContent();
    const { hash } = new URL(page.url());
    const body = `<!doctype html><link rel="icon" href="data:," /><iframe sandbox="allow-scripts" src="./embed/${hash}"></iframe>`;
    await page.route('**/other-page.html', (route) => route.fulfill({ contentType: 'text/html', body }));
    await page.goto('other-page.html');
    await expect(page.frameLocator('iframe').locator('#verdict')).toHaveText(said ?? '');
  });
});
