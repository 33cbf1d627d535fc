// SPDX-License-Identifier: Apache-2.0
// "How we count": the article the calculator grew from, part by part, each figure live beside the exact count.
import { useMemo } from 'preact/hooks';
import type { HowData } from '../../how/data';
import { createHowStore, HowProvider } from '../../how/store';
import { t } from '../../i18n';
import { useStore } from '../../store';
import { InPageLink } from '../InPageLink';
import { Rich } from '../Rich';
import { TopBar } from '../TopBar';
import { Deployments } from './Deployments';
import { Measuring, Steps } from './Measuring';
import { Family, Sizes } from './Models';
import { kSections } from './parts';
import { Strategies } from './Strategies';
import { Sure } from './Sure';
import { Method, Worked } from './Worked';

function Contents() {
  return (
    <nav class="contents" aria-labelledby="contents">
      <h2 id="contents">{t('how.contents')}</h2>
      <ol>
        {kSections.map((id) => (
          <li key={id}>
            <InPageLink to={id}>{t(`how.${id}.title`)}</InPageLink>
          </li>
        ))}
      </ol>
    </nav>
  );
}

function CoreState() {
  const { coreState } = useStore();
  const state = coreState.value;
  if (state.status !== 'failed') return null;
  return (
    <div class="notice warn" role="alert">
      <p>{t(state.reason === 'blocked' ? 'core.blocked' : 'core.broken')}</p>
    </div>
  );
}

export function How({ data }: { data: HowData }) {
  const store = useStore();
  const how = useMemo(() => createHowStore(data, store), [data, store]);
  return (
    <HowProvider value={how}>
      <InPageLink class="skip" to="text">
        {t('how.skip')}
      </InPageLink>
      <TopBar page="how" />
      <div class="page how">
        <Contents />
        <main id="text" tabIndex={-1}>
          <div class="opening prose">
            <h1>{t('nav.how')}</h1>
            <p>
              <Rich text={t('how.lead')} />
            </p>
            <p class="note">{t('how.units')}</p>
          </div>
          <CoreState />
          <Method />
          <Worked />
          <Sizes />
          <Family />
          <Deployments />
          <Strategies />
          <Measuring />
          <Steps />
          <Sure />
        </main>
      </div>
      <footer class="end">
        <p>{t('footer.private')}</p>
      </footer>
    </HowProvider>
  );
}
