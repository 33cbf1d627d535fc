// SPDX-License-Identifier: Apache-2.0
// Models larger than any disk here, with real headers: only these are read, what is under way is said, and it can be cancelled.
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kLargeGguf, kLargeParts } from '../tests/web/support/hub';
import { gguf405B, k405BParameters } from '../tests/web/support/models';
import { button, kAsked, offer, panel, test } from './hub';
import { expect, headline, open } from './page';

const kLlamaCpp = '#v=1&w=q8_0&n=1&g=8xh200&e=llama.cpp';
const kPiece = 1 << 20; // what is asked for at once
const kMiB = 1 << 20;

/** All bytes of the ranges that were asked for, redirects counted once. */
const bytesAsked = (asked: string[]): number =>
  asked
    .filter((line) => !line.includes('/cdn/'))
    .map((line) => /bytes=(\d+)-(\d+)/.exec(line) ?? [])
    .reduce((sum, [, first, last]) => sum + Number(last) + 1 - Number(first), 0);

test('the files are those of Llama 3.1 405B', () => expect(k405BParameters).toBe(405_853_388_800));

test.describe('of Hugging Face', () => {
  test.use({ allow: kAsked });

  test('of a GGUF of 431 GB only the header is asked for', async ({ page, hub }) => {
    const before = hub.asked.length;
    const { size, headerBytes } = gguf405B();
    expect(size).toBeGreaterThan(430e9);
    await offer(page, `https://huggingface.co/large/model-GGUF/blob/main/${kLargeGguf}`, kLlamaCpp);
    await expect(panel(page)).toContainText('the header of this file');
    await button(page, 'Read from huggingface.co').click();
    await expect(headline(page)).toHaveText(`${kLargeGguf} fits on 8 × H200`);
    await expect(page.locator('#model-summary')).toContainText('406B parameters');
    const bytes = bytesAsked(hub.asked.slice(before));
    expect(bytes).toBeGreaterThanOrEqual(headerBytes - 32);
    expect(bytes).toBeLessThan(headerBytes + kPiece);
    expect(bytes).toBeLessThan(4 * kMiB);
  });

  test('of a checkpoint in parts the page says how many it has, and can stop', async ({ page, hub }) => {
    await offer(page, 'held/model');
    await button(page, 'Read from huggingface.co').click();
    // config.json, the index and three parts; five never come.
    await expect(panel(page).getByRole('status')).toHaveText(
      new RegExp(
        `Reading the headers… .* of about .*, 5 of ${kLargeParts + 2} files done \\(the .*GB of weights are not read\\)`,
      ),
    );
    await expect(panel(page).getByRole('progressbar')).toBeVisible();
    await button(page, 'Cancel').click();
    await expect(button(page, 'Read from huggingface.co')).toBeVisible();
    await expect(page.locator('.notice.bad')).toHaveCount(0);
    await expect(headline(page)).toHaveText('DeepSeek-R1 fits on 8 × H200');
    const asked = hub.asked.length;
    await page.waitForTimeout(200);
    expect(hub.asked.length).toBe(asked);
  });

  test('a checkpoint in parts is counted by its tensors, from a few hundred kB', async ({ page, hub }) => {
    const before = hub.asked.length;
    await offer(page, 'large/model', '#v=1&n=1');
    await button(page, 'Read from huggingface.co').click();
    await expect(headline(page)).toHaveText('large/model fits on 8 × H200');
    await expect(page.locator('#model-summary')).toContainText('406B parameters');
    expect(bytesAsked(hub.asked.slice(before))).toBeLessThan(4 * kMiB);
  });

  test('one that falls silent is given up after 20 seconds, with its own sentence', async ({ page }) => {
    await offer(page, 'held/model');
    await page.clock.install();
    await button(page, 'Read from huggingface.co').click();
    await expect(panel(page).getByRole('status')).toContainText('5 of 10 files done');
    await page.clock.fastForward(21_000);
    await expect(page.locator('#message-model')).toContainText('huggingface.co has sent nothing for 20 seconds.');
    await expect(button(page, 'Try huggingface.co again')).toBeVisible();
  });
});

test.describe('of this device', () => {
  let folder = '';
  let path = '';
  const { size, headerBytes, read } = gguf405B();
  test.beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'weighbridge-'));
    path = join(folder, kLargeGguf);
    const stream = createWriteStream(path);
    await new Promise<void>((done) => stream.end(read(0, headerBytes), done));
    await truncate(path, size); // sparse: it takes no room
  });
  test.afterAll(() => rm(folder, { recursive: true }));

  test('of a GGUF of 431 GB only the header is read', async ({ page }) => {
    await page.addInitScript(() => {
      const { slice } = Blob.prototype;
      const taken = { bytes: 0 };
      Object.assign(globalThis, { taken });
      Blob.prototype.slice = function (this: Blob, begin = 0, end = this.size) {
        taken.bytes += end - begin;
        return slice.call(this, begin, end);
      };
    });
    await open(page, kLlamaCpp);
    await page.getByLabel('Model files from this device').setInputFiles(path);
    await expect(headline(page)).toHaveText('llama 406B fits on 8 × H200');
    const { bytes } = await page.evaluate(() => (globalThis as unknown as { taken: { bytes: number } }).taken);
    expect(bytes).toBeGreaterThanOrEqual(headerBytes - 32);
    expect(bytes).toBeLessThan(headerBytes + kPiece);
  });

  test('it is counted with its own types, and an engine that cannot load it names the one that can', async ({
    page,
  }) => {
    await open(page);
    await page.getByLabel('Model files from this device').setInputFiles(path);
    await expect(headline(page)).toHaveText('vLLM cannot run llama 406B this way on 8 × H200');
    await page.getByRole('button', { name: 'Use llama.cpp' }).click();
    await expect(headline(page)).toHaveText('llama 406B fits on 8 × H200');
    await expect(page.getByRole('radio', { name: /^as stored/ })).toBeChecked();
    // 34 bytes for 32 elements: a little above 401.6 GiB, and no conversion to another type.
    const chip = page.locator('label.chip', { hasText: 'as stored' });
    await expect(chip).toContainText('401.6 GiB');
    await expect(chip).not.toHaveClass(/unsupported/);
  });

  test.describe('its link', () => {
    test.use({ permissions: ['clipboard-read', 'clipboard-write'] });
    test('cannot carry it, and says so to both sides', async ({ page }) => {
      await open(page, kLlamaCpp);
      await page.getByLabel('Model files from this device').setInputFiles(path);
      await expect(headline(page)).toContainText('llama 406B');
      await expect(page).toHaveURL(/#v=1&.*&c=-$/);
      await page.getByRole('button', { name: 'Share' }).click();
      const menu = page.getByRole('dialog', { name: 'Share' });
      await expect(menu.locator('.hint')).toContainText('A link cannot carry this model');
      await menu.getByRole('button', { name: 'Copy link' }).click();
      await expect(menu.getByRole('status')).toContainText('Copied. A link cannot carry this model');
      const link = await page.evaluate(() => navigator.clipboard.readText());
      expect(link).not.toContain('gguf'); // the name of a file stays here
      await page.goto('about:blank');
      await open(page, link);
      await expect(page.locator('.notice.warn')).toContainText('came from a file that a link cannot carry');
      await expect(headline(page)).toContainText('DeepSeek-R1');
      await expect(page.getByRole('radio', { name: 'llama.cpp' })).toBeChecked(); // the rest of the link counts
    });
  });
});
