// SPDX-License-Identifier: Apache-2.0
// The fields of the form that advice has moved.

/** Where in the form a strategy's setting stands; the engine's own settings are in the expert drawer. */
const kFields: Record<string, string> = {
  weights: '#setup [data-field="weights"]',
  context: '#setup [data-field="context"]',
  sequences: '#setup [data-field="sequences"]',
  engine: '#setup [data-field="engine"]',
  model: '#setup .field:has(#model)',
  devices: '#setup .field:has(#gpu)',
  raised_limit: '#setup .field:has(#gpu)',
};
const kExpert = '#setup .expert';

/** Marks the fields of `strategies`, and answers what takes the marks away. */
export function markFields(strategies: string[]): () => void {
  const fields = strategies.flatMap((strategy) => document.querySelector(kFields[strategy] ?? kExpert) ?? []);
  for (const field of fields) field.setAttribute('data-tried', '');
  return () => {
    for (const field of fields) field.removeAttribute('data-tried');
  };
}
