// SPDX-License-Identifier: Apache-2.0
// A link to a model that is not of the catalogue carries it, or names it, or says that it could not.
import { kLargeGguf } from '../tests/web/support/hub';
import { button, kAsked, offer, panel, test } from './hub';
import { expect, fixture, headline, open, ready } from './page';

const kConfig = fixture('deepseek-r1.config.json');

test.describe('of Hugging Face', () => {
  test.use({ allow: kAsked });

  test('with a config: it is counted at once under its name, and one press reads it again', async ({ page, hub }) => {
    await offer(page, 'plain/model');
    await button(page, 'Read from huggingface.co').click();
    await expect(page).toHaveURL(/#v=1&hf=plain\/model&c=z/);
    const before = hub.asked.length;
    await page.reload();
    await expect(headline(page)).toHaveText('plain/model fits on 8 × H200');
    await expect(panel(page)).toContainText('This link names this model and carries its config.json');
    await expect(page.locator('.notice.warn')).toHaveCount(0);
    expect(hub.asked.length).toBe(before); // nobody has pressed a button
    await page.getByLabel('Requests at the same time, number').fill('3');
    await expect(page).toHaveURL(/#v=1&hf=plain\/model&n=3&c=z/);
    await button(page, 'Read from huggingface.co').click();
    await expect(panel(page)).toHaveCount(0);
    expect(hub.asked.length).toBeGreaterThan(before);
    await expect(headline(page)).toHaveText('plain/model fits on 8 × H200');
    await expect(page.locator('.facts')).toContainText('3 requests');
  });

  test('a GGUF: the link names it, and its settings wait for it', async ({ page }) => {
    await offer(
      page,
      `https://huggingface.co/large/model-GGUF/blob/main/${kLargeGguf}`,
      '#v=1&w=q8_0&n=2&g=8xh200&e=llama.cpp',
    );
    await button(page, 'Read from huggingface.co').click();
    await expect(headline(page)).toHaveText(`${kLargeGguf} fits on 8 × H200`);
    await page.getByLabel('Requests at the same time, number').fill('3');
    const kLink = new RegExp(`#v=1&hf=large/model-GGUF/blob/main/${kLargeGguf}&.*n=3&.*e=llama\\.cpp`);
    await expect(page).toHaveURL(kLink);
    const said = await page.locator('.facts').textContent();
    await page.reload();
    const notice = page.locator('.notice.bad');
    await expect(notice).toContainText(`large/model-GGUF/blob/main/${kLargeGguf}`);
    await expect(notice).toContainText('has to be read before it can be counted');
    await expect(page.locator('#model')).toHaveValue(`large/model-GGUF/blob/main/${kLargeGguf}`);
    await expect(panel(page)).toContainText('This link names this model, but cannot carry it');
    await expect(page.locator('.verdict')).toHaveAttribute('data-stale', 'true');
    await expect(page).toHaveURL(kLink); // nothing is lost by looking
    await button(page, 'Read from huggingface.co').click();
    await expect(headline(page)).toHaveText(`${kLargeGguf} fits on 8 × H200`);
    await expect(notice).toHaveCount(0);
    await expect(page.locator('.facts')).toHaveText(said ?? '');
  });

  test('what cannot be found in a link is said, and stays in it', async ({ page }) => {
    await open(page, '#v=1&hf=a/../b&n=3');
    await expect(page.locator('.notice.warn')).toContainText('The model of this link is damaged');
    await page.getByLabel('Requests at the same time, number').fill('4');
    await expect(page).toHaveURL(/#v=1&hf=a\/\.\.\/b&n=4/);
  });
});

test.describe('of this device', () => {
  test('a model with a config travels whole, and a file’s name stays here', async ({ page }) => {
    await open(page);
    await page
      .getByLabel('Model files from this device')
      .setInputFiles({ name: 'config.json', mimeType: 'application/json', buffer: Buffer.from(kConfig) });
    await expect(page).toHaveURL(/#v=1&c=z/);
    expect(page.url()).not.toContain('config.json');
    await page.reload();
    await expect(headline(page)).toHaveText('deepseek_v3 671B fits on 8 × H200');
    await expect(page.locator('.notice')).toHaveCount(0);
  });
});

test('a link that comes while the first one is read is the one that is shown', async ({ page }) => {
  let letThrough: (() => void) | undefined;
  await page.route(/catalogue\/devices|devices-/, async (route) => {
    await new Promise<void>((resolve) => (letThrough = resolve));
    await route.continue();
  });
  await page.goto('#v=1&n=3&g=2xrtx-3090'); // devices that the page does not begin with
  await expect.poll(() => letThrough !== undefined).toBe(true);
  await page.evaluate(() => (location.hash = '#v=1&n=7'));
  letThrough?.();
  await ready(page);
  await expect(page.getByLabel('Requests at the same time, number')).toHaveValue('7');
  await expect(headline(page)).toContainText('8 × H200');
  await expect(page).toHaveURL(/#v=1&n=7$/);
});
