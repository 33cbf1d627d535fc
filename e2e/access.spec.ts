// SPDX-License-Identifier: Apache-2.0
// Axe finds nothing, nothing is wider than its place, in every state, language, theme and width; and the page works by keyboard alone.
import type { Page } from '@playwright/test';
import { axe, expect, headline, open, test } from './page';

const kStates: [string, string][] = [
  ['fits', ''],
  ['tight', '#v=1&n=22'],
  ['does not fit', '#v=1&w=bf16'],
  ['cannot run', '#v=1&g=6xh200'],
  ['link with faults', '#v=1&ctx=9999999&g=8xh300&foo=3'],
  ['model to be read', '#v=1&hf=owner/model-GGUF/blob/main/model-Q4_K_M.gguf&n=1&e=llama.cpp'],
];
/** Those with parts that the others have not, looked at in one column too. */
const kNarrow = new Set(['does not fit', 'link with faults', 'model to be read']);
const kTags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** What is wider than the card it stands in. */
const sticksOut = (page: Page): Promise<string[]> =>
  page.evaluate(() => {
    const kCards = '.setup, .card, .verdict, .notice';
    return [...document.querySelectorAll(kCards)].flatMap((card) => {
      const { left, right } = card.getBoundingClientRect();
      return [...card.querySelectorAll('*')]
        .filter(
          (part) => !part.closest('.visually-hidden, [hidden], svg') && getComputedStyle(part).position !== 'absolute',
        )
        .filter((part) => {
          const box = part.getBoundingClientRect();
          return box.width > 0 && (box.right > right + 0.5 || box.left < left - 0.5);
        })
        .map((part) => `${part.tagName} ${part.className} ${part.textContent?.slice(0, 40)}`);
    });
  });

for (const path of ['', 'zh/'])
  for (const [state, hash] of kStates)
    test(`axe and width: ${path || 'en'}, ${state}`, async ({ page }) => {
      test.slow();
      // Both layouts, light and dark; of the other language the one with least room.
      const views: [width: number, scheme: 'light' | 'dark'][] =
        path === ''
          ? [
              [1440, 'light'],
              [390, 'dark'],
            ]
          : [[320, 'dark']];
      for (const [width, scheme] of views) {
        await page.setViewportSize({ width, height: 800 });
        await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
        await page.goto('about:blank');
        await open(page, path + hash);
        if (width < 900) await page.locator('.on-phone').click();
        for (const button of await page.locator('.math-button').all()) await button.click();
        for (const cell of await page.locator('.math-cell').all())
          await expect(cell.locator('.math').first()).toBeVisible();
        await page.locator('.expert summary').click();
        await page.evaluate(() => scrollTo(0, 0)); // half a field under the sticky bar is no small target
        // What axe finds follows from the colours and from the order of one column or two, hardly from the language, and takes seconds.
        if (width === 1440 || (width === 320 && kNarrow.has(state))) {
          const { violations } = await axe(page).withTags(kTags).analyze();
          expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)).toEqual([]);
        }
        expect(
          await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth),
        ).toBe(0);
        expect(await sticksOut(page)).toEqual([]);
      }
    });

test('by keyboard alone: skip, choose a model, move sliders, open the math, share', async ({ page }) => {
  await open(page);
  await page.keyboard.press('Tab');
  await expect(page.getByRole('link', { name: 'Skip to the answer' })).toBeFocused();
  await page.getByRole('combobox', { name: 'Model' }).focus();
  await page.keyboard.type('gpt-oss-120b');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Enter');
  await expect(headline(page)).toHaveText('gpt-oss-120b fits on 8 × H200');
  await page.keyboard.type('zzz');
  await expect(page.getByText('Nothing here is called')).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('combobox', { name: 'Model' })).toHaveValue('gpt-oss-120b');
  await page.getByRole('button', { name: 'Show the math: Weights' }).focus();
  await page.keyboard.press('Enter');
  await expect(page.locator('.math-weights')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Hide the math: Weights' })).toBeFocused();
  await page.getByRole('button', { name: 'Share' }).focus();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('dialog', { name: 'Share' })).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('button', { name: 'Share' })).toBeFocused();
});

test('thirty quick edits are announced once they settle, not thirty times', async ({ page }) => {
  await open(page);
  await page.evaluate(() => {
    const said: string[] = [];
    Object.assign(globalThis, { said });
    const region = document.querySelector('.verdict [role=status]');
    if (region)
      new MutationObserver(() => said.push(region.textContent ?? '')).observe(region, {
        childList: true,
        characterData: true,
        subtree: true,
      });
  });
  await page.waitForTimeout(800);
  const before = await page.evaluate(() => (globalThis as unknown as { said: string[] }).said.length);
  const slider = page.getByRole('slider', { name: 'Requests at the same time' });
  for (let i = 0; i < 30; ++i) await slider.press(i % 2 ? 'ArrowLeft' : 'ArrowRight');
  await slider.press('ArrowRight');
  await page.waitForTimeout(900);
  const said = await page.evaluate(() => (globalThis as unknown as { said: string[] }).said);
  expect(said.length - before).toBeGreaterThanOrEqual(1);
  expect(said.length - before).toBeLessThanOrEqual(2);
});

test('on a phone the answer comes first, the setup opens in place, the dock keeps the verdict', async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 844 });
  await open(page);
  const top = async (selector: string): Promise<number> => (await page.locator(selector).first().boundingBox())?.y ?? 0;
  expect(await top('.verdict')).toBeLessThan(await top('.setup'));
  expect(await top('.setup')).toBeLessThan(await top('.card'));
  await expect(page.getByRole('slider', { name: 'Context length' })).toBeHidden();
  await page.locator('.on-phone').click();
  await expect(page.getByRole('slider', { name: 'Context length' })).toBeVisible();
  await page.mouse.wheel(0, 3000);
  await expect(page.locator('.dock')).toBeVisible();
  await expect(page.locator('.dock')).toContainText('Fits');
});
