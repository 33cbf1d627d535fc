// SPDX-License-Identifier: Apache-2.0
// Answers inside other sites: a real VitePress build and a plain page, on another origin than Weighbridge itself.
import type { FrameLocator, Locator, Page } from '@playwright/test';
import { startServer } from '../web/serve.mjs';
import { buildDocs } from './docs';
import { expect, test } from './page';

type Server = Awaited<ReturnType<typeof startServer>>;
type Heard = {
  type: string;
  id: string;
  height?: number;
  state?: string;
  code?: string;
  text?: string;
  result?: { verdict: string; total_bytes: number };
};
declare global {
  var heard: Heard[];
}

let docs: Server;
/** The site on a host that does not let other origins read it. */
let closed: Server;

test.describe.configure({ mode: 'default' });
test.beforeAll(async ({ baseURL }) => {
  test.setTimeout(120_000);
  docs = await startServer({ folder: await buildDocs(baseURL ?? ''), port: 0 });
  closed = await startServer({ folder: 'build/site', port: 0, cors: false });
});
test.afterAll(() => Promise.all([docs.close(), closed.close()]));
// Here two origins belong to the test: that of the documentation and that of the site.
test.use({ allow: /^foreign request: http:\/\/127\.0\.0\.1:/ });

async function read(page: Page, path: string): Promise<void> {
  await page.addInitScript(() => {
    globalThis.heard = [];
    for (const type of ['ready', 'size', 'change', 'error'])
      document.addEventListener(`weighbridge:${type}`, (event) =>
        globalThis.heard.push((event as CustomEvent<Heard>).detail),
      );
  });
  await page.goto(docs.url + path);
}
const heard = (page: Page, type: string): Promise<Heard[]> =>
  page.evaluate((wanted) => globalThis.heard.filter((message) => message.type === `weighbridge:${wanted}`), type);
const card = (page: Page, index = 0): Locator => page.locator('weighbridge-card').nth(index);
const inside = (page: Page, index = 0): FrameLocator => card(page, index).frameLocator('iframe');
const said = (frame: FrameLocator): Locator => frame.getByRole('heading', { level: 1 });

async function expectFit(page: Page, index = 0): Promise<void> {
  const gap = async (): Promise<number> => {
    const content = await inside(page, index)
      .locator('body')
      .evaluate((body) => body.getBoundingClientRect().height);
    const frame = await card(page, index)
      .locator('iframe')
      .evaluate((element) => element.getBoundingClientRect().height);
    return Math.abs(frame - content);
  };
  await expect.poll(gap).toBeLessThanOrEqual(2);
}

test('VitePress: two cards are ready, fit their heights, follow the switch and do not mix', async ({ page }) => {
  await read(page, '');
  await expect(said(inside(page, 0))).toHaveText('DeepSeek-R1 fits on 8 × H200');
  await card(page, 1).scrollIntoViewIfNeeded();
  await expect(said(inside(page, 1))).toHaveText('DeepSeek-R1-Distill-Qwen-7B fits on RTX 4090');
  await expect(page.getByRole('table')).toBeHidden(); // the first card's fallback has given way
  await expect.poll(async () => new Set((await heard(page, 'ready')).map(({ id }) => id)).size).toBe(2);
  expect(new Set((await heard(page, 'size')).map(({ id }) => id)).size).toBe(2);
  const changes = await heard(page, 'change');
  expect(changes.map(({ result }) => result?.verdict)).toEqual(['fits', 'fits']);
  const first = changes.find(({ state }) => state?.includes('m=deepseek-r1&'));
  expect(first).toBeDefined();
  await expectFit(page, 0);
  await expectFit(page, 1);
  await page.setViewportSize({ width: 420, height: 900 });
  await expectFit(page, 0);
  await expectFit(page, 1);

  await page.setViewportSize({ width: 1440, height: 900 });
  const themes = (theme: string): Promise<void[]> =>
    Promise.all(
      [0, 1].map((index) => expect(inside(page, index).locator('html')).toHaveAttribute('data-theme', theme)),
    );
  await themes('light');
  const toggle = page.getByRole('switch', { name: /dark theme|light theme/ }).first();
  await toggle.click();
  await themes('dark');
  await toggle.click();
  await themes('light');

  const before = (await heard(page, 'change')).length;
  await card(page, 0).evaluate((element) => element.setAttribute('n', '40'));
  await expect(said(inside(page, 0))).toHaveText('DeepSeek-R1 does not fit on 8 × H200');
  await expect(said(inside(page, 1))).toHaveText('DeepSeek-R1-Distill-Qwen-7B fits on RTX 4090');
  const later = (await heard(page, 'change')).slice(before);
  expect(later.map(({ id }) => id)).toEqual([first?.id]);
  await expectFit(page, 0);
});

test('VitePress: moving to another page and back brings the cards again', async ({ page }) => {
  await read(page, '');
  await expect(said(inside(page))).toHaveText('DeepSeek-R1 fits on 8 × H200');
  await page.getByRole('link', { name: 'Frame' }).first().click();
  const frame = page.frameLocator('iframe[src*="m=deepseek-v3"]'); // the card's own frame may still be leaving
  await expect(said(frame)).toHaveText('DeepSeek-V3 fits on 8 × H200');
  await page.getByRole('link', { name: 'Cards' }).first().click();
  await expect(said(inside(page))).toHaveText('DeepSeek-R1 fits on 8 × H200');
  await expectFit(page);
});

test('VitePress: the frame without a script is sandboxed, counts, and opens the full page', async ({ page }) => {
  await read(page, 'frame.html');
  const frame = page.frameLocator('iframe');
  await expect(said(frame)).toHaveText('DeepSeek-V3 fits on 8 × H200');
  const [full] = await Promise.all([
    page.waitForEvent('popup'),
    frame.getByRole('link', { name: /^Change settings/ }).click(),
  ]);
  await expect(full).toHaveURL(/#v=1&m=deepseek-v3&n=4$/);
  await expect(full.getByRole('heading', { level: 1 })).toHaveText('DeepSeek-V3 fits on 8 × H200');
});

test.describe('a plain page with a strict policy of its own', () => {
  test('gets its card', async ({ page }) => {
    await read(page, 'plain.html');
    await expect(said(inside(page))).toHaveText('DeepSeek-R1 fits on 8 × H200');
    await expect(page.getByText('DeepSeek-R1 fits on eight H200.')).toBeHidden();
    await expectFit(page);
  });

  test('follows the marks of MkDocs Material, Docusaurus and Tailwind, the text colour, and the system', async ({
    page,
  }) => {
    await page.emulateMedia({ colorScheme: 'light' });
    await read(page, 'plain.html');
    const theme = (name: string): Promise<void> =>
      expect(inside(page).locator('html')).toHaveAttribute('data-theme', name);
    await theme('light');
    for (const [dark, light] of [
      ["document.body.dataset.mdColorScheme = 'slate'", "document.body.dataset.mdColorScheme = 'default'"],
      [
        "delete document.body.dataset.mdColorScheme; document.documentElement.dataset.theme = 'dark'",
        "document.documentElement.dataset.theme = 'light'",
      ],
      [
        "delete document.documentElement.dataset.theme; document.documentElement.classList.add('dark')",
        "document.documentElement.classList.remove('dark')",
      ],
      ["document.body.style.color = '#eee'", "document.body.style.color = ''"],
    ] as const) {
      await page.evaluate(dark);
      await theme('dark');
      await page.evaluate(light);
      await theme('light');
    }
    await page.evaluate("document.documentElement.style.colorScheme = 'light dark'");
    await page.emulateMedia({ colorScheme: 'dark' });
    await theme('dark');
    await card(page).evaluate((element) => element.setAttribute('theme', 'light'));
    await theme('light');
  });

  test('speaks with the frame: get, set, theme; what others say is not heard', async ({ page }) => {
    await read(page, 'plain.html');
    await expect.poll(async () => (await heard(page, 'change')).length).toBe(1);
    const send = (type: string, more: object = {}): Promise<void> =>
      card(page).evaluate(
        (element, [kind, rest]) =>
          (element as HTMLElement & { send(type: string, more: object): void }).send(kind, rest),
        [type, more] as const,
      );
    await send('get');
    await expect.poll(async () => (await heard(page, 'change')).length).toBe(2);
    await send('set', { state: 'm=deepseek-v3&g=8xh200&n=2&view=full' });
    await expect(said(inside(page))).toHaveText('DeepSeek-V3 fits on 8 × H200');
    await expect(inside(page).locator('.table')).toBeVisible();
    await expectFit(page);
    await send('set', { state: 'm=gpt-9' });
    await expect.poll(async () => (await heard(page, 'error')).map(({ code }) => code)).toEqual(['unknown_model']);
    await send('set', { state: 7 });
    await expect.poll(async () => (await heard(page, 'error')).at(-1)?.code).toBe('bad_message');
    await send('theme', { theme: 'dark' });
    await expect(inside(page).locator('html')).toHaveAttribute('data-theme', 'dark');

    await send('set', { state: '' });
    await expect(said(inside(page))).toHaveText('DeepSeek-R1 fits on 8 × H200');
    await expectFit(page);
    const [, frame] = page.frames();
    const height = await card(page)
      .locator('iframe')
      .evaluate((element) => element.style.height);
    await frame?.evaluate(() => window.postMessage({ type: 'weighbridge:set', v: 1, state: 'm=deepseek-v3' }, '*'));
    await page.evaluate(() =>
      window.postMessage({ type: 'weighbridge:size', v: 1, id: 'weighbridge-1', height: 9 }, '*'),
    );
    await card(page).evaluate((element) => {
      const target = element.shadowRoot?.querySelector('iframe')?.contentWindow;
      for (const message of [
        { type: 'weighbridge:set', v: 2, state: 'm=deepseek-v3' },
        { type: 'set', v: 1, state: 'm=deepseek-v3' },
        null,
        'weighbridge:set',
        5,
      ])
        target?.postMessage(message, '*');
    });
    await page.waitForTimeout(300);
    await expect(said(inside(page))).toHaveText('DeepSeek-R1 fits on 8 × H200');
    expect(
      await card(page)
        .locator('iframe')
        .evaluate((element) => element.style.height),
    ).toBe(height);
  });

  test('in Chinese where its language or the card says so', async ({ page }) => {
    await read(page, 'plain.html');
    await expect(said(inside(page))).toHaveText('DeepSeek-R1 fits on 8 × H200');
    await page.evaluate(() => {
      document.querySelector('weighbridge-card')?.remove();
      const chinese = document.createElement('weighbridge-card');
      chinese.lang = 'zh-CN';
      document.querySelector('main')?.append(chinese);
    });
    await expect(said(inside(page))).toContainText('装');
  });

  test('keeps what stands in the card when the site is not there', async ({ page, baseURL }) => {
    await page.route(`${baseURL}embed/**`, (route) => route.abort());
    await read(page, 'plain.html');
    await page.waitForTimeout(300);
    await expect(page.getByText('DeepSeek-R1 fits on eight H200.')).toBeVisible();
  });
});

test.describe('sandbox', () => {
  test.use({
    allow:
      /^foreign request: http:\/\/127\.0\.0\.1:|CORS policy|Failed to load resource|Blocked opening|Blocked script execution/,
  });
  const kUnused = undefined;
  for (const isOpen of [true, false])
    for (const sandbox of [kUnused, '', 'allow-scripts', 'allow-scripts allow-same-origin'])
      for (const asksForDefault of [false, true])
        test(`${sandbox ?? 'none'}, ${isOpen ? 'readable by all' : 'readable by its own origin'}, ${asksForDefault ? 'default' : 'another setup'}`, async ({
          page,
          baseURL,
        }) => {
          await page.goto(`${docs.url}404.html`);
          const src = `${isOpen ? baseURL : closed.url}embed/#${asksForDefault ? 'm=deepseek-r1&g=8xh200&view=card' : 'm=deepseek-v3&n=4'}`;
          await page.evaluate(
            ([address, boxed]) => {
              const frame = document.createElement('iframe');
              if (boxed !== undefined) frame.setAttribute('sandbox', boxed);
              frame.src = address;
              frame.width = '700';
              frame.height = '560';
              document.body.replaceChildren(frame);
            },
            [src, sandbox] as const,
          );
          const frame = page.frameLocator('iframe');
          const isCounted =
            sandbox === undefined || sandbox.includes('same-origin') || (sandbox === 'allow-scripts' && isOpen);
          if (sandbox === '')
            await expect(frame.locator('.no-script')).toContainText('Scripts do not run in this frame');
          if (isCounted || asksForDefault || sandbox === '') {
            await expect(said(frame)).toHaveText(
              isCounted && !asksForDefault ? 'DeepSeek-V3 fits on 8 × H200' : 'DeepSeek-R1 fits on 8 × H200',
            );
            await expect(frame.locator('.trouble')).toBeHidden();
          } else {
            await expect(frame.locator('.trouble')).toContainText('This frame is sandboxed');
            await expect(frame.locator('.trouble a')).toHaveAttribute('href', /\/#m=deepseek-v3&n=4$/);
            await expect(frame.locator('.verdict')).toBeHidden();
          }
          await expect(frame.locator('.embed')).toHaveCSS('display', 'grid'); // styles arrive in every case
          if (sandbox !== 'allow-scripts') return;
          await frame.getByRole('link', { name: /^Change settings/ }).click();
          await expect(frame.locator('footer')).toContainText('may not open other pages');
          await expect(frame.locator('footer code')).toHaveText(
            isCounted && asksForDefault ? /^http/ : /#.*m=deepseek/,
          );
        });
});
