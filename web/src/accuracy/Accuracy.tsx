// SPDX-License-Identifier: Apache-2.0
// "How accurate": the scoreboard of ./dev truth. Written at build time; the page has no script of its own.
import type { ComponentChildren } from 'preact';
import { t, tCode } from '../i18n';
import { Rich } from '../views/Rich';
import { architecturesOf, kPlaces, rowsOf, type Scoreboard, type ScoreRow } from './scoreboard';

/** Three digits are more than an error is worth. */
const percent = (share: number): string => `${Number((100 * share).toPrecision(3))} %`;
/** Rounded down: all is said of all only. */
const atLeast = (share: number): string => `${Math.floor(10_000 * share) / 100} %`;

const shown = (row: ScoreRow, column: (typeof kColumns)[number]): string => {
  if (column === 'records') return String(row.records);
  return column === 'inside' ? atLeast(row.inside) : percent(row[column]);
};

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
                {shown(row, column)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Card({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <section class="card">
      <header>
        <h2>{title}</h2>
      </header>
      <div class="card-body prose">{children}</div>
    </section>
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
          <Card title={tCode('accuracy.place', place.replaceAll(' ', '_'))} key={place}>
            <Scores
              rows={rowsOf(board, place)}
              first={t('table.part')}
              name={(row) => tCode('accuracy.term', row.term)}
            />
          </Card>
        ))}
        <Card title={t('accuracy.architectures')}>
          <p>{t('accuracy.architecturesText')}</p>
          <Scores
            rows={architecturesOf(board)}
            first={t('accuracy.architecture')}
            name={(row) => <code>{row.architecture}</code>}
          />
        </Card>
      </main>
    </div>
  );
}
