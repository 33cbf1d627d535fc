// SPDX-License-Identifier: Apache-2.0
// What only the full core answers. It is brought when the first such question is asked.
import type { Core } from '../core/core';
import type { Methods, Reply } from '../core/wire';

export async function ask<M extends 'speed' | 'receipts'>(
  core: Core,
  method: M,
  params: Methods[M]['params'],
): Promise<Reply<Methods[M]['result']>> {
  const reply = core.call(method, params);
  if (reply.ok || reply.error.code !== 'unknown_method') return reply;
  await core.bringEngines();
  return core.call(method, params);
}
