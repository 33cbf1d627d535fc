// SPDX-License-Identifier: Apache-2.0
// The answer to a link, in a frame on another page: verdict, bars, three facts, and the way to the full page. Nothing can be changed here.
import { useEffect } from 'preact/hooks';
import { frameView, reportTrouble, stateText, type Trouble } from '../frame';
import { t } from '../i18n';
import { sayNotice } from '../notices';
import { linkTo } from '../site';
import { useStore } from '../store';
import { Bars } from './Bars';
import { Breakdown } from './Breakdown';
import { Icon } from './Icon';
import { Assumptions, NoticeList } from './Notices';
import { Rich } from './Rich';
import { Verdict } from './Verdict';

const kTroubles: Trouble[] = ['unstarted', 'sandboxed', 'blocked', 'broken'];

/** To the full page with the same state, in a new tab. */
function FullPage({ text, isButton = false }: { text: string; isButton?: boolean }) {
  const href = linkTo('embed', 'calculator') + (stateText.value && `#${stateText.value}`);
  return (
    <a class={isButton ? 'button small' : undefined} href={href} target="_blank" rel="noopener" data-full>
      {text}
      <span class="visually-hidden"> {t('embed.newTab')}</span>
    </a>
  );
}

/** Every sentence that may be needed stands in the HTML, since a module that does not run cannot bring it; embed-boot.js shows one. */
function Troubles() {
  return (
    <>
      <p class="notice plain no-script">{t('embed.noScript')}</p>
      <div class="notice warn trouble" role="alert" hidden>
        <Icon name="alert" />
        <div>
          <h1>{t('embed.noAnswer')}</h1>
          {kTroubles.map((trouble) => (
            <p key={trouble} data-why={trouble} hidden>
              <Rich text={t(`embed.${trouble}`)} />
            </p>
          ))}
          <p>
            <FullPage text={t('embed.open')} />
          </p>
        </div>
      </div>
    </>
  );
}

/** What the link says and we did not understand, and why there may be no answer at all. */
function LinkNotices() {
  const { linkNotices, problem } = useStore();
  return (
    <>
      {problem.value && (
        <div class="notice bad">
          <Icon name="alert" />
          <div>
            <h1>{t('embed.noAnswer')}</h1>
            <p>
              <Rich text={sayNotice(problem.value)} />
            </p>
          </div>
        </div>
      )}
      {linkNotices.value.length > 0 && (
        <div class="notice warn">
          <Icon name="alert" />
          <div>
            <h2>{t('link.summary')}</h2>
            <NoticeList notices={linkNotices.value} isFixed />
          </div>
        </div>
      )}
    </>
  );
}

/** Without an answer to this very link there is none to show: on another page, nobody would know that it belongs to other settings. */
function Answer() {
  const { problem } = useStore();
  if (problem.value) return null;
  return (
    <>
      <Verdict isFixed />
      <Bars isBrief={frameView.value !== 'full'} />
      {frameView.value === 'full' && <Breakdown />}
      <Assumptions isFixed />
    </>
  );
}

export function Embed() {
  const { coreState } = useStore();
  const state = coreState.value;
  const reason = state.status === 'failed' ? state.reason : undefined;
  useEffect(() => {
    if (reason) reportTrouble(reason);
  }, [reason]);
  return (
    <div class="embed">
      <main>
        <Troubles />
        <LinkNotices />
        <p class="wait">{t('embed.wait')}</p>
        <div class="answer">
          <Answer />
        </div>
      </main>
      <footer>
        <span>{t('brand')}</span>
        <FullPage text={t('embed.change')} isButton />
        <p class="refused" role="status" hidden>
          {/* Filled by embed-boot.js, maybe before this page has started, which must not empty it. */}
          {t('embed.noTab')} <code dangerouslySetInnerHTML={{ __html: '' }} />
        </p>
      </footer>
    </div>
  );
}
