// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState } from 'preact/hooks';
import { t } from '../i18n';
import { useStore } from '../store';
import { Bars } from './Bars';
import { Breakdown } from './Breakdown';
import { Dock } from './Dock';
import { InPageLink } from './InPageLink';
import { LaterCards } from './LaterCards';
import { Assumptions, Notices } from './Notices';
import { Setup } from './Setup';
import { TopBar } from './TopBar';
import { Verdict } from './Verdict';
import { engineName } from './verdict-texts';

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
      void store.bring(import('../reader/take')).then((take) => take?.takeFiles(store, dropped));
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

/** The calculator: the site's first page. */
export function Calculator() {
  const isOver = usePageDrop();
  return (
    <>
      <InPageLink class="skip" to="answer">
        {t('page.skip')}
      </InPageLink>
      <TopBar page="calculator" />
      <div class="page">
        <Setup />
        <main id="answer" tabIndex={-1}>
          <Notices />
          <Verdict />
          <Assumptions />
          <Bars />
          <Breakdown />
          <LaterCards />
        </main>
      </div>
      <Footer />
      <Dock />
      {isOver && (
        <div class="drop-here" aria-hidden="true">
          <p>{t('page.dropHere')}</p>
        </div>
      )}
    </>
  );
}
