// SPDX-License-Identifier: Apache-2.0
// What would make it fit, or give more room: rows of the core, each tried and undone with one click. Comes with its words after the first answer.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { AdviceRow, Json, Request } from '../core/wire';
import { kMinus, memory } from '../format';
import { addMessages, t } from '../i18n';
import { useStore } from '../store';
import { Icon } from '../views/Icon';
import { engineName } from '../views/verdict-texts';
import { useDeviceNames } from '../views/use-device-names';
import { markFields } from './fields';
import { merge } from './merge';
import { show, stepTo } from './show';
import { noteText, outcomeText, priceText, rowText, type Names } from './texts';
import { useAdvice, type Advised } from './use-advice';
import '../../styles/advice.css';

/** What was tried last, and what there was before. */
interface Tried {
  words: string;
  strategies: string[];
  before: Request;
  after: Request;
}

function Note({ row }: { row: AdviceRow }) {
  return (
    <>
      {row.changes.map(
        ({ strategy, note }) =>
          note && (
            <a key={strategy} href={note.url} target="_blank" rel="noopener" title={note.text}>
              {noteText(note)}
            </a>
          ),
      )}
    </>
  );
}

interface RowProps {
  row: AdviceRow;
  index: number;
  goal: Advised['list']['goal'];
  names: Names;
  onTry: () => void;
}

function Row({ row, index, goal, names, onTry }: RowProps) {
  const { unit } = useStore();
  const words = rowText(row, names);
  const gained = row.gained_bytes;
  return (
    <li data-advice={row.changes.map(({ strategy }) => strategy).join(' ')}>
      <span class="advice-rank" aria-hidden="true">
        {index + 1}
      </span>
      <div class="advice-words">
        <b>{words}</b>
        <small>
          {priceText(row)} <Note row={row} />
        </small>
      </div>
      <div class="advice-outcome">
        {gained !== null && (
          <b>
            {(gained < 0 ? kMinus : '+') + memory(Math.abs(gained), unit.value)}
            <span class="visually-hidden"> {t('advice.moreRoom')}</span>
          </b>
        )}
        <small>{outcomeText(row, goal, unit.value)}</small>
      </div>
      <button class="button small" type="button" aria-label={t('advice.tryThis', { change: words })} onClick={onTry}>
        {t('advice.try')}
      </button>
    </li>
  );
}

/** Stays until the next change, so that nobody has to hurry; takes the focus, since the button that was pressed goes. */
function Toast({ tried, onUndo, onClose }: { tried: Tried; onUndo: () => void; onClose: () => void }) {
  const undo = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    undo.current?.focus();
    return markFields(tried.strategies);
  }, [tried]);
  return (
    <div class="toast">
      <span>{t('advice.tried', { change: tried.words })}</span>
      <button class="button small" type="button" ref={undo} onClick={onUndo}>
        {t('advice.undo')}
      </button>
      <button class="button ghost icon-only" type="button" aria-label={t('notice.close')} onClick={onClose}>
        <Icon name="close" />
      </button>
    </div>
  );
}

function useNames(): Names {
  const { answer } = useStore();
  const deviceNames = useDeviceNames();
  const { request, engine, devices } = answer.value;
  const device = request.hardware[0]?.device;
  return {
    engine: engineName(engine.name),
    device: devices[0]?.device_name ?? (device === undefined ? t('device.own') : (deviceNames.get(device) ?? device)),
  };
}

function Advice() {
  const store = useStore();
  const { answer, request } = store;
  const [isAsked, setAsked] = useState(false);
  const [tried, setTried] = useState<Tried>();
  const title = useRef<HTMLHeadingElement>(null);
  const names = useNames();
  const advised = useAdvice(isAsked || answer.value.verdict.class !== 'fits', isAsked);
  const isBehind = advised !== undefined && advised.request !== request.value;
  const goal = advised?.list.goal ?? (answer.value.verdict.class === 'fits' ? 'room' : 'fit');
  const rows = advised?.list.rows ?? [];
  const texts = goal === 'fit' && answer.value.verdict.class === 'tight' ? 'sure' : goal;
  const isUndoable = tried !== undefined && tried.after === request.value;

  function take(row: AdviceRow): void {
    const before = request.value;
    setAsked(true); // what follows is shown as well, and the way back
    const merged = merge(before as unknown as Json, row.patch) as unknown as Request;
    const after = stepTo(store, merged);
    const strategies = row.changes.map(({ strategy }) => strategy);
    setTried({ words: rowText(row, names), strategies, before, after });
  }
  function leave(): void {
    setTried(undefined);
    title.current?.focus();
  }
  return (
    <>
      <section class="card advice" data-stale={isBehind || undefined} aria-labelledby="advice">
        <header>
          <h2 id="advice" tabIndex={-1} ref={title}>
            {t(`advice.${texts}.title`)}
          </h2>
          {rows.length > 0 && <span class="muted">{t(`advice.${goal}.order`)}</span>}
        </header>
        <div class="card-body">
          {rows.length > 0 ? (
            <ol class="advice-rows">
              {rows.map((row, index) => (
                <Row
                  key={JSON.stringify(row.patch)}
                  row={row}
                  index={index}
                  goal={goal}
                  names={names}
                  onTry={() => take(row)}
                />
              ))}
            </ol>
          ) : advised ? (
            <p>{t(answer.value.verdict.class === 'impossible' ? 'advice.refused' : `advice.${texts}.none`)}</p>
          ) : answer.value.verdict.class !== 'fits' || isAsked ? (
            <p class="muted">{t('advice.loading')}</p>
          ) : (
            <button class="button small" type="button" onClick={() => setAsked(true)}>
              {t('advice.show')}
            </button>
          )}
        </div>
      </section>
      <div class="toast-place" role="status">
        {isUndoable && (
          <Toast
            tried={tried}
            onUndo={() => {
              show(store, tried.before);
              leave();
            }}
            onClose={leave}
          />
        )}
      </div>
    </>
  );
}

/** Once its texts are there. */
export const adviceCard = addMessages({
  en: () => import('../../messages/advice.en.json'),
  'zh-CN': () => import('../../messages/advice.zh-CN.json'),
}).then(() => Advice);
