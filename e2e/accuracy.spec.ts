// SPDX-License-Identifier: Apache-2.0
// "How accurate" shows the scoreboard's numbers, without a script of its own, and is reached from "How we count".
import { readFileSync } from 'node:fs';
import { axe, expect, headline, open, test } from './page';

interface Row {
  place: string;
  term: string;
  architecture: string;
  records: number;
}
const rows: Row[] = JSON.parse(readFileSync('tests/truth/scoreboard.json', 'utf8')).rows;
const whole = rows.find((row) => row.place === 'one GPU' && row.term === 'total' && row.architecture === 'all');

for (const [path, title, term] of [
  ['', 'How accurate', 'Together'],
  ['zh/', '有多准确', '合计'],
] as const)
  test(`scores: ${path || 'en'}`, async ({ page }) => {
    test.slow();
    await open(page, `${path}how/`);
    await page.locator('a[href="../accuracy/"]').click();
    await expect(headline(page)).toHaveText(title);
    const total = page.locator('section').first().getByRole('row').filter({ hasText: term });
    await expect(total.getByRole('cell').first()).toHaveText((whole?.records ?? 0).toLocaleString('en'));
    for (const width of [390, 1440]) {
      await page.setViewportSize({ width, height: 900 });
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    }
    expect((await axe(page).analyze()).violations).toEqual([]);
  });
