// SPDX-License-Identifier: Apache-2.0
/** The page's policy asks for addresses of scripts from a named place (Trusted Types); this is that place. */
export function trusted(url: string): string {
  const types = (globalThis as { trustedTypes?: { createPolicy(name: string, rules: object): unknown } }).trustedTypes;
  const policy = types?.createPolicy('weighbridge-reader', { createScriptURL: () => url }) as
    { createScriptURL(url: string): string } | undefined;
  return policy?.createScriptURL(url) ?? url;
}
