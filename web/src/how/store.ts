// SPDX-License-Identifier: Apache-2.0
// The state of "How we count": the reader's numbers and what the core makes of them. The calculator's own settings stay in its store.
import { computed, effect, signal, type ReadonlySignal, type Signal } from '@preact/signals';
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { Notice } from '../core/wire';
import type { Store } from '../store';
import { lacksEngines, type Core } from '../core/core';
import { Refusal, type Case } from './ask';
import type { HowData } from './data';
import { caseFigures, observedOf, type CaseFigures, type Observed } from './figures';
import { savings, type Saving } from './savings';

export interface HowStore {
  data: HowData;
  case: ReadonlySignal<Case>;
  /** The last good figures. While `problem` is set they belong to earlier numbers. */
  figures: ReadonlySignal<CaseFigures>;
  problem: ReadonlySignal<Notice | null>;
  /** What the strategies save for the calculator's own settings; nothing until the core is there. */
  setupSavings: ReadonlySignal<Saving[] | null>;
  /** The same of a monitor; nothing where the settings have no answer. */
  setupObserved: ReadonlySignal<Observed | null>;
  /** Whose figures the strategies and the monitors show: the case's, or those of the calculator's settings. */
  whose: Signal<'case' | 'setup'>;
  change(part: Partial<Case>): void;
  reset(): void;
}

const kNothing = { models: [], engines: [] };

export function createHowStore(data: HowData, store: Store): HowStore {
  const chosen = signal(data.figures.case);
  const figures = signal(data.figures);
  const problem = signal<Notice | null>(null);
  const setupSavings = signal<Saving[] | null>(null);

  // What an engine refuses is counted by the module with all rules, which comes when it is first asked for.
  const isWhole = signal(false);
  function brings(core: Core, refused: Notice): boolean {
    if (!lacksEngines(refused) || isWhole.value) return false;
    const go = () => (isWhole.value = true);
    void core.bringEngines().then(go, go);
    return true;
  }

  effect(() => {
    const state = store.coreState.value;
    if (state.status !== 'ready') return;
    const counted = caseFigures(state.core, chosen.value, store.catalogue.value ?? kNothing);
    if ('problem' in counted && brings(state.core, counted.problem)) return;
    problem.value = 'problem' in counted ? counted.problem : null;
    if (!('problem' in counted)) figures.value = counted;
  });
  effect(() => {
    const state = store.coreState.value;
    if (state.status !== 'ready') return;
    try {
      setupSavings.value = savings(state.core, store.answer.value, store.catalogue.value ?? kNothing);
    } catch (refused) {
      if (!(refused instanceof Refusal)) throw refused;
      brings(state.core, refused.notice);
    }
  });

  return {
    data,
    case: chosen,
    figures,
    problem,
    setupSavings,
    setupObserved: computed(() => (store.answer.value.devices.length > 0 ? observedOf(store.answer.value) : null)),
    whose: signal<'case' | 'setup'>('case'),
    change(part) {
      chosen.value = { ...chosen.value, ...part };
    },
    reset() {
      chosen.value = data.figures.case;
    },
  };
}

const HowContext = createContext<HowStore | null>(null);
export const HowProvider = HowContext.Provider;

export function useHow(): HowStore {
  const how = useContext(HowContext);
  if (!how) throw new Error('useHow outside of its provider');
  return how;
}
