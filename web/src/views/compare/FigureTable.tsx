// SPDX-License-Identifier: Apache-2.0
// All settings and figures of the setups in one table, with the differences to the first.
import { kLetters, useSides } from '../../compare/sides';
import { figureRows, kNone, settingRows, textRow, type Row } from '../../compare/rows';
import { useSpeeds } from '../../compare/use-speeds';
import type { Range, Speed } from '../../core/wire';
import { count } from '../../format';
import { t, type MessageId } from '../../i18n';
import { namedLayers } from '../../speed/ask';
import { range as rangeText, seconds } from '../../speed/texts';
import { useStore } from '../../store';
import { useDeviceNames } from '../use-device-names';

interface PartProps {
  title: string;
  rows: Row[];
  columns: number;
}

function Part({ title, rows, columns }: PartProps) {
  return (
    <tbody>
      <tr class="part">
        <th scope="rowgroup" colSpan={columns + 1}>
          {title}
        </th>
      </tr>
      {rows.map(({ label, cells, differs }) => (
        <tr key={label} class={differs ? 'differs' : undefined}>
          <th scope="row">
            {label}
            {differs && <span class="visually-hidden"> ({t('compare.changed')})</span>}
          </th>
          {cells.map(({ text, change }, index) => (
            <td key={index}>
              {text}
              {change && <small>{change}</small>}
            </td>
          ))}
        </tr>
      ))}
    </tbody>
  );
}

/** Ranges have no difference to tell. */
function useSpeedRows(): Row[] {
  const sides = useSides().sides.value;
  const speeds = useSpeeds(sides);
  if (speeds.every((speed) => !speed?.decode.tokens_per_second && !speed?.prefill.first_token_seconds)) return [];
  const row = (id: MessageId, shown: (speed: Speed) => string | null): Row =>
    textRow(
      t(id),
      speeds.map((speed) => (speed && shown(speed)) ?? kNone),
    );
  const rate = (range: Range | null): string | null => range && rangeText(range);
  // Those that the answer names, where all of them would be too much: the rates are with them.
  const layers = sides.map(({ answer, problem }) => (problem ? undefined : namedLayers(answer)));
  return [
    ...(layers.some((some) => some !== undefined)
      ? [
          textRow(
            t('compare.layers'),
            layers.map((some) => (some === undefined ? kNone : count(some))),
          ),
        ]
      : []),
    row('compare.each', ({ decode }) => rate(decode.tokens_per_second_each)),
    row('compare.all', ({ decode }) => rate(decode.tokens_per_second)),
    row('compare.prompt', ({ prefill }) => rate(prefill.tokens_per_second)),
    row('compare.first', ({ prefill: { first_token_seconds: first } }) => first && seconds(first)),
  ];
}

export function FigureTable() {
  const { unit, isBehind } = useStore();
  const sides = useSides().sides.value;
  const deviceNames = useDeviceNames();
  const speed = useSpeedRows();
  const columns = sides.length;
  return (
    <section class="card compared" data-stale={isBehind.value || undefined} aria-labelledby="compared">
      <header>
        <h2 id="compared">{t('compare.table')}</h2>
      </header>
      <div class="card-body">
        <table class={`table columns-${columns}`}>
          <thead>
            <tr>
              <th scope="col">
                <span class="visually-hidden">{t('compare.row')}</span>
              </th>
              {sides.map((_, index) => (
                <th key={index} scope="col">
                  {kLetters[index]}
                </th>
              ))}
            </tr>
          </thead>
          <Part title={t('compare.settings')} rows={settingRows(sides, unit.value, deviceNames)} columns={columns} />
          <Part title={t('compare.fullest')} rows={figureRows(sides, unit.value)} columns={columns} />
          {speed.length > 0 && <Part title={t('compare.speed')} rows={speed} columns={columns} />}
        </table>
        <p class="note">{t('compare.legend')}</p>
      </div>
    </section>
  );
}
