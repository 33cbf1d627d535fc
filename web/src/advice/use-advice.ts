// SPDX-License-Identifier: Apache-2.0
// Asks the core for advice once an answer has settled. The module that has the rules of every engine comes with the first question.
import { useEffect, useState } from 'preact/hooks';
import type { Core } from '../core/core';
import type { AdviceList, Request } from '../core/wire';
import { useStore } from '../store';

const kSettled = 200; // ms without a change: advice takes several frames, and a slider is dragged in less

/** Relatives that the core knew by name only, of the model that was asked about last. */
let known: { model: string | undefined; relatives: string[] } = { model: undefined, relatives: [] };

/** Advice for `request`, with relatives that the catalogue only lists brought along. */
async function ask(core: Core, request: Request): Promise<AdviceList | undefined> {
  await core.bringEngines();
  const model = request.model.id;
  const withRelatives = (): Request & { relatives: { id: string }[] } => ({
    ...request,
    relatives: known.model === model ? known.relatives.map((id) => ({ id })) : [],
  });
  let reply = core.call('advise', withRelatives());
  if (reply.ok && reply.result.unread_relatives.length > 0 && known.model !== model) {
    known = { model, relatives: reply.result.unread_relatives };
    await core.bringSpecs();
    reply = core.call('advise', withRelatives());
  }
  return reply.ok ? reply.result : undefined;
}

export interface Advised {
  request: Request;
  list: AdviceList;
}

/**
 * Advice for the settings that the answer in sight is for; of earlier ones until then. A part that does not arrive is said only to who asked for
 * advice.
 */
export function useAdvice(isWanted: boolean, isAsked: boolean): Advised | undefined {
  const { coreState, request, isBehind, bring } = useStore();
  const [advised, setAdvised] = useState<Advised>();
  const state = coreState.value;
  const asked = request.value;
  const isReady = isWanted && !isBehind.value && state.status === 'ready';
  useEffect(() => {
    if (!isReady) return undefined;
    let isOver = false;
    const timer = setTimeout(() => {
      const asking = ask(state.core, asked);
      void (isAsked ? bring(asking) : asking.catch(() => undefined)).then((list) => {
        if (list && !isOver) setAdvised({ request: asked, list });
      });
    }, kSettled);
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [isReady, asked]);
  return advised;
}
