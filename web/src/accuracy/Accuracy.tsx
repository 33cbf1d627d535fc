// SPDX-License-Identifier: Apache-2.0
// "How accurate": the scoreboard of ./dev truth. Written at build time; the page has no script of its own.
import type { ComponentChildren } from 'preact';
import { t, tCode } from '../i18n';
import { Rich } from '../views/Rich';
import { architecturesOf, kPlaces, rowsOf, type Scoreboard, type ScoreRow } from './scoreboard';

/** Four decimals of a percent: a hundredth of a megabyte in ten gigabytes. */
const percent = (share: number): string => `${Number((100 * share).toFixed(share < 0.01 ? 4 : 2))} %`;

const kColumns = ['records', 'median', 'p95', 'worst', 'inside', 'width'] as const;

function Scores({
  rows,
  first,
  name,
}: {
  rows: ScoreRow[];
  first: string;
  name: (row: ScoreRow) => ComponentChildren;
}) {
  return (
    <table class="table stacked">
      <thead>
        <tr>
          <th scope="col">{first}</th>
          {kColumns.map((column) => (
            <th scope="col" class="number" key={column}>
              {t(`accuracy.${column}`)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.term + row.architecture}>
            <th scope="row">{name(row)}</th>
            {kColumns.map((column) => (
              <td class="number" key={column}>
                {column === 'records' ? row.records : percent(row[column])}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** `home` is where the calculator lies, `how` the page that this one belongs to. */
export function Accuracy({ board, home, how }: { board: Scoreboard; home: string; how: string }) {
  return (
    <div class="page how">
      <nav class="contents">
        <ol>
          <li>
            <a href={home}>{t('brand')}</a>
          </li>
          <li>
            <a href={how}>{t('nav.how')}</a>
          </li>
        </ol>
      </nav>
      <main>
        <div class="opening prose">
          <h1>{t('accuracy.title')}</h1>
          <p>
            <Rich text={t('accuracy.lead')} />
          </p>
          <p>{t('accuracy.columns')}</p>
        </div>
        {kPlaces.map((place) => (
          <section class="card prose" key={place}>
            <h2>{tCode('accuracy.place', place.replaceAll(' ', '_'))}</h2>
            <Scores
              rows={rowsOf(board, place)}
              first={t('table.part')}
              name={(row) => tCode('accuracy.term', row.term)}
            />
          </section>
        ))}
        <section class="card prose">
          <h2>{t('accuracy.architectures')}</h2>
          <p>{t('accuracy.architecturesText')}</p>
          <Scores
            rows={architecturesOf(board)}
            first={t('accuracy.architecture')}
            name={(row) => <code>{row.architecture}</code>}
          />
        </section>
      </main>
    </div>
  );
}
