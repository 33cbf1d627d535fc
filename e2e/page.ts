// SPDX-License-Identifier: Apache-2.0
// Every test runs under the same promises: nothing in the console, nothing refused by the Content-Security-Policy, no request to another
// origin. A test that expects otherwise says so with `allow`.
import AxeBuilder from '@axe-core/playwright';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test as base, type Locator, type Page } from '@playwright/test';

export const fixture = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`../tests/fixtures/${name}`, import.meta.url)), 'utf8');

interface Promises {
  /** Console messages that this test brings about on purpose. */
  allow: RegExp | null;
  kept: void;
}

export const test = base.extend<Promises>({
  allow: [null, { option: true }],
  kept: [
    async ({ page, allow, baseURL }, use) => {
      const broken: string[] = [];
      const report = (text: string): void => {
        if (!allow?.test(text)) broken.push(text);
      };
      page.on('console', (message) => {
        if (message.type() === 'error' || message.type() === 'warning') report(`console: ${message.text()}`);
      });
      page.on('pageerror', (error) => report(`exception: ${String(error)}`));
      page.on('request', (request) => {
        const url = new URL(request.url());
        const isLocal =
          url.protocol === 'data:' || url.protocol === 'blob:' || url.origin === new URL(baseURL ?? '').origin;
        if (!isLocal) report(`foreign request: ${request.url()}`);
      });
      await page.addInitScript(() => {
        addEventListener('securitypolicyviolation', (event) =>
          console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`),
        );
      });
      await use();
      expect(broken).toEqual([]);
    },
    { auto: true },
  ],
});

/** Opens a page of the site with the core loaded and, if `hash` is given, its settings counted. */
export async function open(page: Page, path = ''): Promise<void> {
  await page.goto(path);
  await ready(page);
}

/** Waits for the core of the page that was opened, and for the settings of its link. */
export async function ready(page: Page): Promise<void> {
  await page.waitForFunction(() => performance.getEntriesByName('weighbridge:ready').length > 0);
}

/** Chooses by the label, which lies over its radio button, and where it stands still: an answer that arrives moves the form. */
export async function choose(page: Page, radio: Locator): Promise<void> {
  await expect(verdict(page)).not.toHaveAttribute('data-stale');
  await page.locator('label').filter({ has: radio }).click();
  await expect(radio).toBeChecked();
}

/**
 * Axe, in the page itself: none that is tested has frames to look into, and the page that axe opens otherwise to put results together takes as long
 * again. What passes is not written up.
 */
export const axe = (page: Page): AxeBuilder =>
  new AxeBuilder({ page }).setLegacyMode().options({ resultTypes: ['violations'] });

export const headline = (page: Page): Locator => page.getByRole('heading', { level: 1 });
export const verdict = (page: Page): Locator => page.locator('.verdict');

export { expect };
