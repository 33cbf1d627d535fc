// SPDX-License-Identifier: Apache-2.0
/**
 * Both send browsers on to hosts of their own for weights: *.hf.co (huggingface.co/.well-known/meta.json lists them) and *.hf-mirror.com. The
 * page's Content-Security-Policy allows these and no others.
 */
export const kHubHosts = ['huggingface.co', 'hf-mirror.com'] as const;
export type HubHost = (typeof kHubHosts)[number];
