// SPDX-License-Identifier: Apache-2.0
// The speed of each setup, asked of the module that has the rules of every engine once the settings rest.
import { useEffect, useState } from 'preact/hooks';
import type { Speed } from '../core/wire';
import { ask, asAnswered } from '../speed/ask';
import { speedTexts } from '../speed/texts';
import { useStore } from '../store';
import type { Side } from './sides';

const kSettled = 250; // ms without a change

/** By settings: a setup that was not touched keeps its speed. An answer may be of other settings for a moment. */
const known = new WeakMap<object, Speed>();

/** One for each setup, null where it has none or not yet. */
export function useSpeeds(sides: Side[]): (Speed | null)[] {
  const { coreState, isBehind } = useStore();
  const [, setArrived] = useState(0);
  const state = coreState.value;
  const isSettled = !isBehind.value;
  useEffect(() => {
    if (!isSettled || state.status !== 'ready') return undefined;
    let isOver = false;
    const askAll = async (): Promise<void> => {
      await speedTexts();
      for (const { request, answer, problem } of sides) {
        if (isOver || problem || known.has(request)) continue;
        const reply = await ask(state.core, 'speed', { request: asAnswered(request, answer) });
        if (reply.ok) known.set(request, reply.result);
      }
      if (!isOver) setArrived((times) => times + 1);
    };
    const timer = setTimeout(() => void askAll().catch(() => undefined), kSettled); // nobody asked: what does not arrive is no news
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [isSettled, state, ...sides.flatMap(({ request, problem }) => [request, problem])]);
  return sides.map(({ request, problem }) => (problem ? null : (known.get(request) ?? null)));
}
