// SPDX-License-Identifier: Apache-2.0
// Settings that the core proposes take the place of the present ones. The model stays, and so does what was assumed when it was read.
import type { Request } from '../core/wire';
import { isCarried } from '../link';
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

/** The same as a step of its own, from which Back returns; not where a model is that no link can hold, and Back would lose. */
export function stepTo(store: Store, request: Request): Request {
  const { href } = location;
  const { model } = store.request.value;
  void isCarried(model).then((is) => {
    if (is && location.href === href) history.pushState(null, '');
  });
  return show(store, request);
}
