// SPDX-License-Identifier: Apache-2.0
// huggingface.co and the host of its weights, as a server of this machine that the browser takes for them: it looks their names up here, so
// that the page's own policy, the browser's rules for other sites (CORS), redirects and ranges are the real ones. Nothing leaves the machine.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Locator, Page } from '@playwright/test';
import { answerAsHub } from '../tests/web/support/hub';
import { expect, fixture, open, test as base } from './page';

const kHub = ['huggingface.co', 'hf-mirror.com'];
const kCdn = 'us.aws.cdn.hf.co';
const kStranger = 'elsewhere.example';

/** A certificate for an hour; the browser of these tests does not ask who signed it. */
function certificate(): { key: string; cert: string } {
  const folder = mkdtempSync(join(tmpdir(), 'weighbridge-'));
  const key = join(folder, 'key.pem');
  const cert = join(folder, 'cert.pem');
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  execFileSync('openssl', ['req', '-x509', ...curve, '-days', '1', '-subj', '/CN=hub', '-keyout', key, '-out', cert], {
    stdio: 'ignore',
  });
  const pair = { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
  rmSync(folder, { recursive: true });
  return pair;
}

export interface Hub {
  port: number;
  /** What was asked, as "host path range". */
  asked: string[];
}

export const test = base.extend<object, { hub: Hub }>({
  hub: [
    async ({}, use) => {
      const asked: string[] = [];
      const answer = answerAsHub({ config: fixture('deepseek-r1.config.json'), cdn: `https://${kCdn}` });
      const server: Server = createServer(certificate(), (request, response) => {
        const { host, range, cookie, referer } = request.headers;
        asked.push(`${host} ${request.url} ${range}${cookie ? ' cookie' : ''}${referer ? ' referrer' : ''}`);
        answer(request, response);
      });
      await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
      await use({ port: (server.address() as AddressInfo).port, asked });
      server.closeAllConnections();
      server.close();
    },
    { scope: 'worker' },
  ],
  launchOptions: [
    async ({ launchOptions, hub }, use) => {
      const rules = [...kHub, kCdn, kStranger].map((host) => `MAP ${host}:443 127.0.0.1:${hub.port}`).join(', ');
      const args = [...(launchOptions.args ?? []), `--host-resolver-rules=${rules}`, '--ignore-certificate-errors'];
      await use({ ...launchOptions, args });
    },
    { scope: 'worker' },
  ],
});

/** The hosts that are asked on purpose, and what the browser says of their refusals. */
export const kAsked =
  /foreign request: https:\/\/(huggingface\.co|hf-mirror\.com|us\.aws\.cdn\.hf\.co)\/|Failed to load resource|CORS policy/;

export const box = (page: Page): Locator => page.getByRole('combobox', { name: 'Model' });
export const options = (page: Page): Locator => page.getByRole('listbox', { name: 'Model' }).getByRole('option');
export const panel = (page: Page): Locator => page.getByRole('group', { name: 'A model from elsewhere' });
export const button = (page: Page, name: string | RegExp): Locator => panel(page).getByRole('button', { name });

export async function offer(page: Page, text: string, path = ''): Promise<void> {
  await open(page, path);
  await box(page).click();
  await box(page).fill(text);
  await expect(options(page).last()).toContainText('read it from Hugging Face');
  await options(page).last().click();
  await expect(button(page, 'Read from huggingface.co')).toBeFocused();
}
