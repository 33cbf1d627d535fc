// SPDX-License-Identifier: Apache-2.0
// What a person drops, picks or pastes: a config.json. Nothing is sent anywhere; the text goes to the core.
import type { Core } from './core/core';
import type { Notice } from './core/wire';
import type { Store } from './store';

const kMostConfigBytes = 4 << 20; // the core's own limit for a text; a config.json has a few kB

const cannotRead = (code: string, name: string): Notice => ({
  code,
  where: 'file',
  message: name,
  values: { key: name, value: '', expected: 'config.json' },
});

/** Takes the text of a config.json as the model. What was there stays if it cannot be read. */
export function takeConfigText(store: Store, core: Core, text: string): boolean {
  const reply = core.call('read_config', { text });
  if (!reply.ok) {
    store.fileNotice.value = reply.error;
    return false;
  }
  const { model, config } = reply.result;
  store.chooseModel({ config }, model.max_context_tokens);
  return true;
}

export async function takeFile(store: Store, core: Core, file: File): Promise<void> {
  if (!file.name.toLowerCase().endsWith('.json')) {
    store.fileNotice.value = cannotRead('not_a_config', file.name);
    return;
  }
  if (file.size > kMostConfigBytes) {
    store.fileNotice.value = cannotRead('config_too_large', file.name);
    return;
  }
  try {
    takeConfigText(store, core, await file.text());
  } catch {
    store.fileNotice.value = cannotRead('file_unreadable', file.name);
  }
}
