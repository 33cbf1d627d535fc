// SPDX-License-Identifier: Apache-2.0
// Two or three setups that are held against each other. The one that is being changed lives in the store, as on the calculator; the others
// wait here with the answers they had.
import { batch, computed, signal, type ReadonlySignal, type Signal } from '@preact/signals';
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import { estimateWhole, type Core } from '../core/core';
import type { Estimate, Notice, Request } from '../core/wire';
import type { Outside, Store } from '../store';

export const kLetters = ['A', 'B', 'C'] as const;
export const kMostSides = kLetters.length;
export const kFewestSides = 2;

export interface Side {
  request: Request;
  /** The last good one; it is for these settings unless there is a problem. */
  answer: Estimate;
  problem: Notice | null;
  kept: [string, string][];
  linkNotices: Notice[];
  assumed: Notice[];
  outside: Outside | null;
}

export interface Sides {
  /** All of them, the one that is being changed as it is now. */
  sides: ReadonlySignal<Side[]>;
  active: Signal<number>;
  choose(index: number): void;
  /** One more, which begins as a copy of the one that is being changed. */
  add(): void;
  remove(index: number): void;
  /** All at once, as a link gives them; the last one is to be changed. */
  open(sides: Side[]): void;
}

/** Nothing is read for a setup that is left: a model of a host is offered again. */
const atRest = (outside: Outside | null): Outside | null => {
  if (outside?.state !== 'reading') return outside;
  const { reference, isLinked } = outside;
  return reference ? { state: 'offer', reference, ...(isLinked && { isLinked }) } : null;
};

/** What the store holds now, as it can wait here. */
export const sideOf = (store: Store): Side => ({
  request: store.request.value,
  answer: store.answer.value,
  problem: store.problem.value,
  kept: store.kept.value,
  linkNotices: store.linkNotices.value,
  assumed: store.assumed.value,
  outside: atRest(store.outside.value),
});

/** The answer to `request`, or why there is none. */
export async function answerTo(core: Core, request: Request): Promise<Partial<Pick<Side, 'answer' | 'problem'>>> {
  const reply = await estimateWhole(core, request);
  return reply.ok ? { answer: reply.result, problem: null } : { problem: reply.error };
}

export function createSides(store: Store): Sides {
  const first = sideOf(store);
  const held = signal<Side[]>([first, first]);
  const active = signal(kFewestSides - 1);
  const present = (): Side[] => held.value.map((side, index) => (index === active.value ? sideOf(store) : side));

  /** A side that is left before its answer came gets it here. */
  const finish = (side: Side): void => {
    const state = store.coreState.peek();
    if (state.status !== 'ready') return;
    void store.bring(answerTo(state.core, side.request)).then((answer) => {
      if (answer) held.value = held.value.map((one) => (one === side ? { ...side, ...answer } : one));
    });
  };

  const show = (sides: Side[], index: number): void => {
    const side = sides[index];
    if (!side) return;
    const isBehind = store.isBehind.peek() && !store.problem.peek();
    const left = active.peek();
    batch(() => {
      held.value = sides;
      active.value = index;
      store.open(side.request);
      store.kept.value = side.kept;
      store.linkNotices.value = side.linkNotices;
      store.assumed.value = side.assumed;
      store.outside.value = side.outside;
    });
    const before = sides[left];
    if (isBehind && before && left !== index) finish(before);
  };

  return {
    sides: computed(present),
    active,
    choose: (index) => index !== active.peek() && show(present(), index),
    add() {
      const sides = present();
      if (sides.length < kMostSides) show([...sides, sideOf(store)], sides.length);
    },
    remove(index) {
      const sides = present();
      if (sides.length <= kFewestSides) return;
      const rest = sides.filter((_, at) => at !== index);
      const now = active.peek();
      if (now === index) return show(rest, Math.min(now, rest.length - 1));
      // The one that is being changed stays as it is, with what is being read for it.
      batch(() => {
        held.value = rest;
        active.value = now > index ? now - 1 : now;
      });
    },
    open: (sides) => show(sides, sides.length - 1),
  };
}

const SidesContext = createContext<Sides | null>(null);
export const SidesProvider = SidesContext.Provider;

export function useSides(): Sides {
  const sides = useContext(SidesContext);
  if (!sides) throw new Error('useSides outside of its provider');
  return sides;
}
