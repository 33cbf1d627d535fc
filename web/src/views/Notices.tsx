// SPDX-License-Identifier: Apache-2.0
// What stands above the answer: why it is not for the present settings, what a link could not say, and what was assumed.
import { useEffect, useRef } from 'preact/hooks';
import type { Notice } from '../core/wire';
import { count } from '../format';
import { sentences, t } from '../i18n';
import { fieldOf, sayNotice } from '../notices';
import { useStore } from '../store';
import { Icon } from './Icon';
import { Rich } from './Rich';
import { modelName } from './verdict-texts';

const kTargets: Record<string, string> = { model: 'model', hardware: 'gpu' };

/** Sentences, each with the way to the field it is about, unless there are no fields (`isFixed`). */
export function NoticeList({ notices, isFixed = false }: { notices: Notice[]; isFixed?: boolean }) {
  const { answer, setContext } = useStore();
  const { engine, request } = answer.value;
  const usual = engine.default_context_tokens ?? 0; // what the engine takes when nothing is asked for
  const isOther = !isFixed && usual > 0 && usual !== request.workload.context_tokens;
  return (
    <ul>
      {notices.map((notice) => {
        const target = isFixed ? undefined : kTargets[fieldOf(notice)];
        const text = <Rich text={sayNotice(notice)} />;
        return (
          <li key={notice.where + notice.message}>
            {text}{' '}
            {isOther && fieldOf(notice) === 'context' && (
              <button class="button small" type="button" onClick={() => setContext(usual)}>
                {t('nearest.context', { count: count(usual) })}
              </button>
            )}
            {target && notice.code !== 'unknown_key' && (
              <a
                href={`#${target}`}
                onClick={(event) => {
                  event.preventDefault();
                  document.getElementById(target)?.focus();
                }}
              >
                {t('notice.goThere')}
              </a>
            )}
          </li>
        );
      })}
    </ul>
  );
}

/** All that a link said and we did not understand; takes the focus once, when the link is opened. */
export function LinkSummary() {
  const { linkNotices } = useStore();
  const box = useRef<HTMLDivElement>(null);
  const notices = linkNotices.value;
  const key = notices.map((notice) => notice.message).join('|');
  useEffect(() => {
    if (key) box.current?.focus();
  }, [key]);
  if (notices.length === 0) return null;
  return (
    <div class="notice warn" role="alert" tabIndex={-1} ref={box} aria-labelledby="link-summary">
      <Icon name="alert" />
      <div>
        <h2 id="link-summary">{t('link.summary')}</h2>
        <NoticeList notices={notices} />
      </div>
      <button
        class="button icon-only"
        type="button"
        aria-label={t('notice.close')}
        onClick={() => (linkNotices.value = [])}
      >
        <Icon name="close" />
      </button>
    </div>
  );
}

function CoreTrouble() {
  const { coreState } = useStore();
  const state = coreState.value;
  if (state.status !== 'failed') return null;
  return (
    <div class="notice warn" role="alert">
      <Icon name="alert" />
      <p>{t(state.reason === 'blocked' ? 'core.blocked' : 'core.broken')}</p>
    </div>
  );
}

/** The last good answer stays in sight, and says what it is for. */
function Stale() {
  const { problem, fileNotice, answer } = useStore();
  const notice = problem.value ?? fileNotice.value;
  if (!notice) return null;
  return (
    <div class="notice bad" role="alert">
      <Icon name="alert" />
      <p>
        <Rich text={sentences(sayNotice(notice), t('answer.stale', { model: modelName(answer.value) }))} />
      </p>
    </div>
  );
}

export function Notices() {
  return (
    <>
      <CoreTrouble />
      <LinkSummary />
      <Stale />
    </>
  );
}

/** Defaults that were filled in, below the verdict: they are part of the answer. */
export function Assumptions({ isFixed = false }: { isFixed?: boolean }) {
  const { warnings } = useStore();
  if (warnings.value.length === 0) return null;
  return (
    <div class="notice plain">
      <Icon name="alert" />
      <div>
        <h2>{t('answer.assumptions')}</h2>
        <NoticeList notices={warnings.value} isFixed={isFixed} />
      </div>
    </div>
  );
}
