// SPDX-License-Identifier: Apache-2.0
// Models in the page's order of counting (web/src/reverse/rows.ts, likelyOrder and likelyBytes), as lists are timed.

export const kFirstScreen = 9; // rows in sight on 1440 x 900; on a phone none is
export const kSmallest = 'gguf:Q3_K_M';

/** `rows` of the packed catalogue; `onDevices` and `host` are what the machine has, in bytes. */
export function likelyOrder(rows, engine, onDevices, host = 0) {
  const bytesPerParameter = engine === 'llama.cpp' ? 0.495 : 0.55;
  const needs = ({ parameters }) => parameters * bytesPerParameter;
  const isWanted = ({ kind }) => ['original', 'distillation'].includes(kind);
  const likely = (list) => {
    const sorted = list.sort((a, b) => b.parameters - a.parameters);
    return [
      ...sorted.filter((row) => needs(row) <= onDevices),
      ...sorted.filter((row) => needs(row) > onDevices && needs(row) <= onDevices + host),
      ...sorted.filter((row) => needs(row) > onDevices + host).reverse(),
    ];
  };
  const named = rows.filter(({ kind }) => kind !== 'generic');
  return [...likely(named.filter(isWanted)), ...likely(named.filter((row) => !isWanted(row)))];
}
