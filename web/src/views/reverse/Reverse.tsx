// SPDX-License-Identifier: Apache-2.0
// "What can my GPU run?": the machine in, every model of the catalogue out.
import { useEffect, useState } from 'preact/hooks';
import { t } from '../../i18n';
import { kEngines, useMine } from '../../reverse/store';
import { useStore } from '../../store';
import { InPageLink } from '../InPageLink';
import { LinkSummary } from '../Notices';
import { Rich } from '../Rich';
import { TopBar } from '../TopBar';
import { Ask } from './Ask';

function Failure() {
  const { failed } = useMine();
  if (!failed.value) return null;
  return (
    <div class="notice bad" role="alert">
      <p>{t(failed.value === 'blocked' ? 'reverse.blocked' : 'reverse.broken')}</p>
    </div>
  );
}

/** How the list comes about. */
function Rule() {
  const { isKnown } = useMine();
  const engine = useStore().request.value.engine.name;
  const isHome = !isKnown.value || engine === kEngines[0];
  return (
    <section class="card">
      <header>
        <h2>{t('reverse.rule')}</h2>
      </header>
      <ul class="card-body rule">
        <li>
          <Rich text={t(isHome ? 'reverse.ruleHome' : 'reverse.ruleServing')} />
        </li>
        <li>
          <Rich text={t('reverse.ruleFits')} />
        </li>
        {isHome && (
          <li>
            <Rich text={t('reverse.ruleOffload')} />
          </li>
        )}
        <li>
          <Rich text={t('reverse.ruleContext')} />
        </li>
        <li>
          <Rich text={t('reverse.ruleOrder')} />
        </li>
      </ul>
    </section>
  );
}

type Known = typeof import('./Known');

export function Reverse() {
  const { isKnown } = useMine();
  const { bring } = useStore();
  const [known, setKnown] = useState<Known>();
  const hasAnswered = isKnown.value;
  useEffect(() => {
    // What there is to see once the page knows the machine, on its way before that.
    const known = import('./Known');
    if (hasAnswered) void bring(known).then(setKnown);
    else known.catch(() => undefined);
  }, [hasAnswered]);
  return (
    <>
      <InPageLink class="skip" to="text">
        {t('page.skip')}
      </InPageLink>
      <TopBar page="reverse" />
      <div class="page reverse">
        {hasAnswered && known ? <known.MySetup /> : <Ask />}
        <main id="text" tabIndex={-1}>
          <div class="opening">
            <h1>{t('nav.reverse')}</h1>
            <p>{t('reverse.lead')}</p>
          </div>
          <LinkSummary />
          <Failure />
          {hasAnswered && known && <known.Rows />}
          <Rule />
        </main>
      </div>
      <footer class="end">
        <p>{t('footer.private')}</p>
      </footer>
    </>
  );
}
