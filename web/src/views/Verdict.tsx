// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState } from 'preact/hooks';
import { spoken } from '../i18n';
import { useStore } from '../store';
import { Icon } from './Icon';
import { Rich } from './Rich';
import { facts, verdictTexts } from './verdict-texts';
import { useDeviceNames } from './use-device-names';

const kIcons = { ok: 'check', warn: 'tight', bad: 'cross', plain: 'unknown' } as const;
const kAnnounceDelay = 600; // ms without a change, so that dragging a slider is one announcement

/** Says the settled verdict to screen readers, once and without marks. */
export function Announcer({ text }: { text: string }) {
  const [said, setSaid] = useState('');
  useEffect(() => {
    const timer = setTimeout(() => setSaid(text.replaceAll(/<\/?b>|`/g, '')), kAnnounceDelay);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <p class="visually-hidden" role="status">
      {said}
    </p>
  );
}

/** The nearest working setting, one tap away. What it is called and does comes when there is one. */
function Nearest() {
  const store = useStore();
  const deviceNames = useDeviceNames();
  const [nearestOf, setNearestOf] = useState<typeof import('./nearest').nearestOf>();
  const { nearest, reason } = store.answer.value.verdict;
  const isOffered = Boolean(nearest ?? reason);
  useEffect(() => {
    if (isOffered) void store.bring(import('./nearest')).then((module) => setNearestOf(() => module?.nearestOf));
  }, [store, isOffered]);
  const [words, take] = nearestOf?.(store, deviceNames) ?? [];
  return words ? (
    <button class="button small" type="button" onClick={take}>
      {words}
    </button>
  ) : null;
}

/** `isFixed`: nothing can be changed here, and nothing is announced: in a frame, on someone else's page. */
export function Verdict({ isFixed = false }: { isFixed?: boolean }) {
  const { answer, unit, isBehind } = useStore();
  const deviceNames = useDeviceNames();
  const { tone, headline, sentence } = verdictTexts(answer.value, unit.value, deviceNames);
  const known = facts(answer.value, unit.value);
  return (
    <section
      class={`verdict ${tone}`}
      data-verdict={answer.value.verdict.class}
      data-stale={isBehind.value || undefined}
      aria-labelledby="verdict"
    >
      <div class="verdict-words">
        <span class="verdict-icon">
          <Icon name={kIcons[tone]} />
        </span>
        <h1 id="verdict">{headline}</h1>
        <p>
          <Rich text={sentence} />
        </p>
        {!isFixed && <Nearest />}
      </div>
      {known.length > 0 && (
        <dl class="facts">
          {known.map((fact) => (
            <div key={fact.caption}>
              <dt>{fact.caption}</dt>
              <dd>{fact.value}</dd>
            </div>
          ))}
        </dl>
      )}
      {!isFixed && <Announcer text={spoken(headline, sentence)} />}
    </section>
  );
}
