// SPDX-License-Identifier: Apache-2.0
// Settings that the core proposes take the place of the present ones. The model stays, and so does what was assumed when it was read.
import type { Request } from '../core/wire';
import type { Store } from '../store';

/** The whole request; half-typed text goes with what it was typed over. */
export function show(store: Store, request: Request): Request {
  const isOtherContext = request.workload.context_tokens !== store.request.value.workload.context_tokens;
  store.generation.value += 1;
  store.request.value = request;
  // As if it had been typed: the next model begins with it.
  if (isOtherContext) store.setContext(request.workload.context_tokens);
  return store.request.value;
}
