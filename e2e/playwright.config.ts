// SPDX-License-Identifier: Apache-2.0
import { existsSync } from 'node:fs';
import { defineConfig } from '@playwright/test';

const kPort = Number(process.env['WB_PORT'] ?? 4178);
// Debian's, or else Playwright's own. The headless shell has the same engine without a desktop's window, and does the tests in two thirds of the time.
const kSystemChromium = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium'].find((path) => existsSync(path));

export default defineConfig({
  testDir: '.',
  outputDir: '../build/e2e',
  workers: 2,
  // A machine with much else to do may miss a wait; a test that needed its second try is printed as flaky.
  retries: 1,
  forbidOnly: Boolean(process.env['CI']),
  reporter: [['list']],
  use: {
    baseURL: `http://127.0.0.1:${kPort}/`,
    viewport: { width: 1440, height: 900 },
    launchOptions: {
      ...(kSystemChromium === undefined ? {} : { executablePath: kSystemChromium }),
      args: ['--no-sandbox', '--disable-background-networking'],
    },
  },
  webServer: {
    command: `node web/serve.mjs build/site --port ${kPort}`,
    cwd: '..',
    url: `http://127.0.0.1:${kPort}/`,
    reuseExistingServer: false,
  },
});
