// SPDX-License-Identifier: Apache-2.0
// "Compare": the calculator's form for one setup at a time, and all setups beside each other.
import { kLetters, kMostSides, kFewestSides, useSides } from '../../compare/sides';
import { spoken, t } from '../../i18n';
import { sayNotice } from '../../notices';
import { useStore } from '../../store';
import { kTones } from '../../verdict/tone';
import { VerdictChip } from '../../verdict/VerdictChip';
import { BarRow, extentOf, Legend, Patterns } from '../Bars';
import { CalculatorPage } from '../calculator/Calculator';
import { Notices, Assumptions } from '../Notices';
import { fullestOf } from '../parts';
import { Rich } from '../Rich';
import { useDeviceNames } from '../use-device-names';
import { Announcer } from '../Verdict';
import { verdictTexts } from '../verdict-texts';
import { FigureTable } from './FigureTable';

/** Which setup the form is for. */
function SideChoice() {
  const { sides, active, choose, add, remove } = useSides();
  const shown = sides.value;
  const next = kLetters[shown.length];
  const last = kLetters[shown.length - 1] ?? '';
  return (
    <div class="side-choice">
      <fieldset class="segments">
        <legend class="visually-hidden">{t('compare.sides')}</legend>
        {shown.map((_, index) => (
          <label key={index} class="segment">
            <input
              type="radio"
              name="side"
              aria-label={t('compare.side', { letter: kLetters[index] ?? '' })}
              checked={index === active.value}
              onChange={() => choose(index)}
            />
            {kLetters[index]}
          </label>
        ))}
      </fieldset>
      {shown.length < kMostSides && next && (
        <button class="text-button" type="button" onClick={add}>
          {t('compare.add', { letter: next })}
        </button>
      )}
      {shown.length > kFewestSides && (
        <button class="text-button" type="button" onClick={() => remove(shown.length - 1)}>
          {t('compare.remove', { letter: last })}
        </button>
      )}
    </div>
  );
}

/** What each setup comes to, in a sentence. */
function Verdicts() {
  const { unit, isBehind } = useStore();
  const { sides, active } = useSides();
  const deviceNames = useDeviceNames();
  return (
    <ul class="side-verdicts" aria-label={t('compare.verdicts')}>
      {sides.value.map(({ answer, problem }, index) => {
        const { headline, sentence } = verdictTexts(answer, unit.value, deviceNames);
        const letter = kLetters[index] ?? '';
        return (
          <li
            key={letter}
            class={`card ${problem ? 'bad' : kTones[answer.verdict.class]}`}
            data-stale={(index === active.value && isBehind.value && !problem) || undefined}
          >
            <h2>
              <span class="letter">{letter}</span> <span>{problem ? t('class.unknown') : headline}</span>
            </h2>
            {!problem && <VerdictChip verdict={answer.verdict.class} />}
            <p>
              <Rich text={problem ? sayNotice(problem) : sentence} />
            </p>
          </li>
        );
      })}
    </ul>
  );
}

/** One bar each, at the scale of the largest. */
function SideBars() {
  const { unit } = useStore();
  const { sides } = useSides();
  const fullest = sides.value.map(({ answer, problem }) => (problem ? undefined : fullestOf(answer)));
  const devices = fullest.filter((device) => device !== undefined);
  if (devices.length === 0) return null;
  const scale = Math.max(...devices.map(extentOf));
  return (
    <section class="card" aria-labelledby="bars">
      <header>
        <h2 id="bars">{t('compare.bars')}</h2>
      </header>
      <div class="card-body">
        <Patterns />
        {fullest.map((device, index) => {
          const letter = kLetters[index] ?? '';
          return (
            device && (
              <BarRow
                key={letter}
                title={letter}
                device={device}
                name={t('compare.side', { letter })}
                unit={unit.value}
                engine={sides.value[index]?.answer.engine.name ?? ''}
                scale={scale}
              >
                <small>{device.device_name || t('bar.host')}</small>
              </BarRow>
            )
          );
        })}
        <Legend devices={devices} />
      </div>
    </section>
  );
}

/** Says the verdict of the setup that is being changed, or why it has none. */
function Said() {
  const { answer, unit, problem } = useStore();
  const { active } = useSides();
  const { headline, sentence } = verdictTexts(answer.value, unit.value, useDeviceNames());
  const words = problem.value ? sayNotice(problem.value) : spoken(headline, sentence);
  return <Announcer text={`${kLetters[active.value]}: ${words}`} />;
}

export function Compare() {
  return (
    <CalculatorPage page="compare" heading={<SideChoice />}>
      <div class="opening">
        <h1>{t('nav.compare')}</h1>
        <p>{t('compare.lead')}</p>
      </div>
      <Notices />
      <Verdicts />
      <Said />
      <Assumptions />
      <SideBars />
      <FigureTable />
    </CalculatorPage>
  );
}
