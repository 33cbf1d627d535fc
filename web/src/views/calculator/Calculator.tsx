// SPDX-License-Identifier: Apache-2.0
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { t } from '../../i18n';
import type { PageName } from '../../site';
import { useStore } from '../../store';
import { Bars } from '../Bars';
import { Breakdown } from '../Breakdown';
import { Dock } from './Dock';
import { InPageLink } from '../InPageLink';
import { LaterCards } from './LaterCards';
import { Assumptions, Notices } from '../Notices';
import { Setup } from './Setup';
import { TopBar } from '../TopBar';
import { Verdict } from '../Verdict';
import { engineName } from '../verdict-texts';

/** The whole page takes a dropped file. */
function usePageDrop(): boolean {
  const store = useStore();
  const [isOver, setOver] = useState(false);
  useEffect(() => {
    const hasFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') ?? false;
    const over = (event: DragEvent): void => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(true);
    };
    const leave = (event: DragEvent): void => {
      if (event.relatedTarget === null) setOver(false);
    };
    const drop = (event: DragEvent): void => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(false);
      // Entries must be asked for now: after the event the browser takes them back.
      const dropped = [...(event.dataTransfer?.items ?? [])].flatMap((item) => {
        const entry = item.webkitGetAsEntry();
        return entry?.isDirectory ? (entry as FileSystemDirectoryEntry) : (item.getAsFile() ?? []);
      });
      void store.bring(import('../../reader/take')).then((take) => take?.takeFiles(store, dropped));
    };
    addEventListener('dragover', over);
    addEventListener('dragleave', leave);
    addEventListener('drop', drop);
    return () => {
      removeEventListener('dragover', over);
      removeEventListener('dragleave', leave);
      removeEventListener('drop', drop);
    };
  }, [store]);
  return isOver;
}

function Footer() {
  const { answer } = useStore();
  const { engine } = answer.value;
  return (
    <footer class="end">
      <p>{t('footer.private')}</p>
      <p>
        {t(engine.name === 'article' ? 'footer.article' : 'footer.rules', {
          engine: engineName(engine.name),
          version: engine.version,
        })}
      </p>
    </footer>
  );
}

interface CalculatorPageProps {
  page: PageName;
  /** In place of the form's usual heading. */
  heading?: ComponentChildren;
  children: ComponentChildren;
}

/** A form and what is counted for it. */
export function CalculatorPage({ page, heading, children }: CalculatorPageProps) {
  const isOver = usePageDrop();
  return (
    <>
      <InPageLink class="skip" to="answer">
        {t('page.skip')}
      </InPageLink>
      <TopBar page={page} />
      <div class="page">
        <Setup heading={heading} />
        <main id="answer" tabIndex={-1}>
          {children}
        </main>
      </div>
      <Footer />
      {page === 'calculator' && <Dock />}
      {isOver && (
        <div class="drop-here" aria-hidden="true">
          <p>{t('page.dropHere')}</p>
        </div>
      )}
    </>
  );
}

/** The calculator: the site's first page. */
export function Calculator() {
  return (
    <CalculatorPage page="calculator">
      <Notices />
      <Verdict />
      <Assumptions />
      <Bars />
      <Breakdown />
      <LaterCards />
    </CalculatorPage>
  );
}
