// SPDX-License-Identifier: Apache-2.0
// "How accurate": the scoreboard of ./dev truth. Written at build time; the page has no script of its own.
import type { ComponentChildren } from 'preact';
import { count } from '../format';
import { t, tCode, translated } from '../i18n';
import { InPageLink } from '../views/InPageLink';
import { Rich } from '../views/Rich';
import { TopBar } from '../views/TopBar';
import { engineName } from '../views/verdict-texts';
import {
  architecturesOf,
  kBeside,
  kPlaces,
  kServing,
  kSpeed,
  rowsOf,
  servingOf,
  speedOf,
  type Scoreboard,
  type ScoreRow,
} from './scoreboard';

/** Two digits are what an error is worth. */
const percent = (share: number): string => `${Number((100 * share).toPrecision(2))}\u00a0%`;
/** Rounded down: all is said of all only. */
const atLeast = (share: number): string => `${Math.floor(10_000 * share) / 100}\u00a0%`;

type Column = (typeof kColumns)[number];

const shown = (row: ScoreRow, column: Column): string => {
  if (column === 'records') return count(row.records);
  return column === 'inside' ? atLeast(row.inside) : percent(row[column]);
};

const kColumns = ['records', 'median', 'p95', 'worst', 'inside', 'width'] as const;
/** Of a range: it has no error, since nothing says where in it a figure lies. */
const kRangeColumns: readonly Column[] = ['records', 'inside', 'width'];

function Scores({
  rows,
  first,
  name,
  columns = kColumns,
}: {
  rows: ScoreRow[];
  first: string;
  name: (row: ScoreRow) => ComponentChildren;
  columns?: readonly Column[];
}) {
  return (
    <table class="table stacked">
      <thead>
        <tr>
          <th scope="col">{first}</th>
          {columns.map((column) => (
            <th scope="col" class="number" key={column}>
              {t(`accuracy.${column}`)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.engine + row.place + row.term + row.architecture}>
            <th scope="row">{name(row)}</th>
            {columns.map((column) => (
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

function Card({ id, title, children }: { id: string; title: string; children: ComponentChildren }) {
  return (
    <section class="card" id={id} tabIndex={-1}>
      <header>
        <h2>{title}</h2>
      </header>
      <div class="card-body prose">{children}</div>
    </section>
  );
}

const kArchitectures = 'architectures';
const kModels = 'models';
const idOf = (place: string): string => place.replaceAll(' ', '_');
const titleOf = (place: string): string => tCode('accuracy.place', idOf(place));

function Contents() {
  const parts = [
    ...[...kPlaces, ...kBeside].map((place) => [idOf(place), titleOf(place)] as const),
    [kArchitectures, t('accuracy.architectures')] as const,
    [kModels, t('accuracy.models')] as const,
    ...kServing.map((engine) => [engine, engineName(engine)] as const),
    [kSpeed, t('accuracy.speed')] as const,
  ];
  return (
    <nav class="contents" aria-labelledby="contents">
      <h2 id="contents">{t('accuracy.contents')}</h2>
      <ol>
        {parts.map(([id, title]) => (
          <li key={id}>
            <InPageLink to={id}>{title}</InPageLink>
          </li>
        ))}
      </ol>
    </nav>
  );
}

/** Most are right to the byte: their names say all; a row is for one that is not. */
function Architectures({ board }: { board: Scoreboard }) {
  const all = architecturesOf(board);
  const missed = all.filter((row) => row.worst > 0);
  const exact = all.filter((row) => row.worst === 0);
  return (
    <Card id={kArchitectures} title={t('accuracy.architectures')}>
      <p>{t('accuracy.architecturesText')}</p>
      <p>
        {t('accuracy.exact', {
          count: exact.length,
          records: count(exact.reduce((sum, row) => sum + row.records, 0)),
        })}
      </p>
      <p class="names">
        {exact.map((row) => (
          <code key={row.architecture}>{row.architecture}</code>
        ))}
      </p>
      <p>{t('accuracy.missed', { count: missed.length })}</p>
      <Scores rows={missed} first={t('accuracy.architecture')} name={(row) => <code>{row.architecture}</code>} />
    </Card>
  );
}

/** Parameters and bytes of checkpoints against what was published: a row is for a figure that is not the same, with the reason. */
function Models({ board: { models } }: { board: Scoreboard }) {
  return (
    <Card id={kModels} title={t('accuracy.models')}>
      <p>{t('accuracy.modelsText', { exact: models.exact, records: models.records })}</p>
      <table class="table stacked">
        <thead>
          <tr>
            <th scope="col">{t('accuracy.model')}</th>
            <th scope="col" class="number">
              {t('accuracy.stated')}
            </th>
            <th scope="col" class="number">
              {t('accuracy.ours')}
            </th>
            <th scope="col" class="optional">
              {t('accuracy.why')}
            </th>
          </tr>
        </thead>
        <tbody>
          {models.missed.map(({ model, slug, figure, ours, stated, why }) => (
            <tr key={model + figure}>
              <th scope="row">
                {model}
                <small>{tCode('accuracy.figure', idOf(figure))}</small>
              </th>
              <td class="number">{count(stated)}</td>
              <td class="number">{count(ours)}</td>
              <td class="cause">{translated(`notice.miss.${slug}`, {}) ?? why}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Card>
  );
}

/** What a log says otherwise than we count, and why. */
function Misses({ board, engine }: { board: Scoreboard; engine: string }) {
  const missed = board.missed.filter((miss) => miss.engine === engine);
  if (missed.length === 0) return null;
  return (
    <>
      <p>{t('accuracy.known')}</p>
      <ul class="cause">
        {missed.map(({ id, term, error, why }) => (
          <li key={id + term}>
            {tCode('accuracy.term', idOf(term))}, {(error < 0 ? '\u2212' : '+') + percent(Math.abs(error))}:{' '}
            {translated(`notice.miss.${id}`, {}) ?? why}
          </li>
        ))}
      </ul>
    </>
  );
}

function Serving({ board, engine }: { board: Scoreboard; engine: string }) {
  return (
    <Card id={engine} title={engineName(engine)}>
      <Scores
        rows={servingOf(board, engine)}
        first={t('table.part')}
        name={(row) => (
          <>
            {tCode('accuracy.term', idOf(row.term))}
            <small>{tCode('accuracy.place', idOf(row.place))}</small>
          </>
        )}
      />
      <Misses board={board} engine={engine} />
    </Card>
  );
}

/** Tokens a second against the range that is stated. */
function Speed({ board }: { board: Scoreboard }) {
  return (
    <Card id={kSpeed} title={t('accuracy.speed')}>
      <p>{t('accuracy.speedText')}</p>
      <Scores
        rows={speedOf(board)}
        columns={kRangeColumns}
        first={t('accuracy.engine')}
        name={(row) => (
          <>
            {engineName(row.engine)}
            <small>{tCode('accuracy.term', idOf(row.term))}</small>
          </>
        )}
      />
    </Card>
  );
}

export function Accuracy({ board }: { board: Scoreboard }) {
  return (
    <>
      <TopBar page="accuracy" />
      <div class="page how">
        <Contents />
        <main>
          <div class="opening prose">
            <h1>{t('accuracy.title')}</h1>
            <p>
              <Rich text={t('accuracy.lead')} />
            </p>
            <p>{t('accuracy.columns')}</p>
          </div>
          {[...kPlaces, ...kBeside].map((place) => (
            <Card id={idOf(place)} title={titleOf(place)} key={place}>
              <Scores
                rows={rowsOf(board, place)}
                first={t('table.part')}
                name={(row) => tCode('accuracy.term', row.term)}
              />
            </Card>
          ))}
          <Architectures board={board} />
          <Models board={board} />
          <div class="opening prose">
            <h2>{t('accuracy.serving')}</h2>
            <p>{t('accuracy.servingText')}</p>
          </div>
          {kServing.map((engine) => (
            <Serving board={board} engine={engine} key={engine} />
          ))}
          <Speed board={board} />
        </main>
      </div>
    </>
  );
}
