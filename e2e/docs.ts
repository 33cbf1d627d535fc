// SPDX-License-Identifier: Apache-2.0
// Builds the example documentation against a running copy of the site.
import { execFile } from 'node:child_process';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const kRoot = fileURLToPath(new URL('..', import.meta.url));
const kExampleSite = 'https://weighbridge.example/';
const kPages = ['.vitepress/config.ts', 'index.md', 'frame.md', 'public/plain.html'];

/** Builds with VitePress; returns the folder to serve. `site` ends with a slash. */
export async function buildDocs(site: string): Promise<string> {
  const source = join(kRoot, 'build/docs');
  await rm(source, { recursive: true, force: true });
  await cp(join(kRoot, 'e2e/docs'), source, { recursive: true });
  for (const page of kPages) {
    const text = await readFile(join(source, page), 'utf8');
    await writeFile(
      join(source, page),
      text.replaceAll(kExampleSite, site).replaceAll(kExampleSite.slice(0, -1), site.slice(0, -1)),
    );
  }
  const vitepress = join(kRoot, 'node_modules/vitepress/bin/vitepress.js');
  await promisify(execFile)(process.execPath, [vitepress, 'build', source], { cwd: kRoot });
  return join(source, '.vitepress/dist');
}
