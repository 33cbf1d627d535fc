// SPDX-License-Identifier: Apache-2.0
// What the sections of "How we count" are made of.
import type { ComponentChildren } from 'preact';
import type { HardwareRow } from '../../core/wire';
import { count, decimalMemory } from '../../format';
import type { Brief } from '../../how/ask';
import type { Deployment } from '../../how/figures';
import { useHow } from '../../how/store';
import { t, type MessageId } from '../../i18n';
import { sayNotice } from '../../notices';
import { linkTo } from '../../site';
import { Rich } from '../Rich';

export const kSections = [
  'method',
  'worked',
  'sizes',
  'family',
  'deployments',
  'strategies',
  'measuring',
  'steps',
  'sure',
] as const;
export type SectionId = (typeof kSections)[number];

export function Section({ id, children, live }: { id: SectionId; children: ComponentChildren; live?: boolean }) {
  const { problem } = useHow();
  return (
    <section
      class="card"
      id={id}
      tabIndex={-1}
      aria-labelledby={`${id}-title`}
      data-stale={(live && problem.value !== null) || undefined}
    >
      <header>
        <h2 id={`${id}-title`}>{t(`how.${id}.title`)}</h2>
      </header>
      <div class="card-body prose">{children}</div>
    </section>
  );
}

/** A paragraph of the page. */
export function Text({ id, values }: { id: MessageId; values?: Record<string, string | number> }) {
  return (
    <p>
      <Rich text={t(id, values)} />
    </p>
  );
}

/** Memory as the article writes it, and the bytes behind it. */
export function Figure({ bytes, part }: { bytes: number; part?: string }) {
  return (
    <span class="figure" data-part={part}>
      {decimalMemory(bytes)}
      <small>{count(bytes)}</small>
    </span>
  );
}

/** "8 × A100 40 GB". */
export function useMachine(): (setup: HardwareRow) => string {
  const { deviceNames } = useHow().data;
  return ({ device = '', count: n }) => `${n} × ${deviceNames[device] ?? device}`;
}

/** Opens the calculator with the settings behind `hash`. */
export function CalculatorLink({ hash, children }: { hash: string; children: ComponentChildren }) {
  return (
    <a class="to-calculator" href={`${linkTo('how', 'calculator')}#${hash}`}>
      {children}
    </a>
  );
}

const percent = (share: number): string => `${Number((share * 100).toFixed(1))}%`;

/** The parts of a setup on one GPU, against the engine's limit. */
export function MiniBar({ setup, parts }: { setup: Brief; parts: Deployment['parts'] }) {
  const scale = Math.max(setup.capacity, setup.total);
  const limit = percent(setup.limit / scale);
  // From the back: each part drawn from the left edge to its end, so that the ones before it lie on top.
  let end = setup.total;
  return (
    <svg class="mini-bar" aria-hidden="true">
      {[...parts].reverse().map(({ part, bytes }) => {
        const width = percent(end / scale);
        end -= bytes;
        return <rect key={part} class={`fill-${part}`} width={width} height="100%" />;
      })}
      <line x1={limit} x2={limit} y2="100%" />
    </svg>
  );
}

/** The core's word on why a setup does not run, as a note. */
export function Reason({ setup }: { setup: Brief }) {
  if (!setup.reason) return null;
  return (
    <p class="note">
      <Rich text={sayNotice(setup.reason)} />
    </p>
  );
}
