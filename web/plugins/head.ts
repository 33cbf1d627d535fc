// SPDX-License-Identifier: Apache-2.0
// Vite plugin: what the HTML of every page begins with, in place of `<!--head-->`. What a page may load is said here, and nowhere else.
import type { Plugin } from 'vite';
import { kHubHosts, type HubHost } from '../src/reader/hosts.ts';

const kScripts = "script-src 'self'";
const kAlways = ["style-src 'self'", "img-src 'self' data:"];
const kClosed = ["base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'"];
const kCounts = [`${kScripts} 'wasm-unsafe-eval'`, ...kAlways, "connect-src 'self'", "worker-src 'self'"];
const kManifest = "manifest-src 'self'"; // not in a frame
/** What is asked of a host may be answered by one below it, or by one of its other name. */
const kFilesBelow: Partial<Record<HubHost, string>> = { 'huggingface.co': 'hf.co' };
const kReadsModels = kCounts.map((rule) =>
  rule.startsWith('connect-src')
    ? [rule, ...kHubHosts.flatMap((host) => [`https://${host}`, `https://*.${kFilesBelow[host] ?? host}`])].join(' ')
    : rule,
);

/** By the folder of the page; the others count and ask nobody but the site itself. */
const kPolicies: Record<string, string[]> = {
  '': [...kReadsModels, kManifest],
  'compare/': [...kReadsModels, kManifest],
  'embed/': kCounts,
  'accuracy/': [kScripts, ...kAlways],
};

/** `folder`: of the page, below the site's root. */
function headOf(folder: string): string {
  const policy = ["default-src 'none'", ...(kPolicies[folder] ?? [...kCounts, kManifest]), ...kClosed].join('; ');
  return `<meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta http-equiv="Content-Security-Policy" content="${policy}" />
    <meta name="referrer" content="no-referrer" />
    <meta name="color-scheme" content="light dark" />
    <title><!--title--></title>
    <meta name="description" content="<!--description-->" />
    <link rel="icon" href="${folder ? '../' : './'}favicon.svg" type="image/svg+xml" vite-ignore />
    <!--alternates-->`;
}

export function commonHead(): Plugin {
  return {
    name: 'common-head',
    transformIndexHtml: {
      order: 'pre',
      handler(html, { path }) {
        if (!html.includes('<!--head-->')) throw new Error(`${path} has no <!--head-->`);
        return html.replace('<!--head-->', headOf(path.replace(/^\/|index\.html$/g, '')));
      },
    },
  };
}
