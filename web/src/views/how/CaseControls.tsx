// SPDX-License-Identifier: Apache-2.0
// The numbers of the worked case, each within reach: size, format, tokens, requests.
import { useId, useState } from 'preact/hooks';
import { count, parseCount, tokensShort } from '../../format';
import { kSizes, type Case } from '../../how/ask';
import { useHow } from '../../how/store';
import { t } from '../../i18n';
import { fieldOf, sayNotice } from '../../notices';
import { useStore } from '../../store';
import { FieldMessage } from '../Field';
import { NumberField, unreadable } from '../NumberField';
import { marksOf, octaveStops } from '../stops';
import { StopSlider } from '../StopSlider';
import { weightsName } from '../weights-name';

const kLeastTokens = 128;
const kMostSequences = 64; // of the slider; the number field takes what the core takes
const kFormats = ['fp16', 'int8'] as const;

interface ChoicesProps<T extends string> {
  label: string;
  name: string;
  options: readonly T[];
  value: T;
  text: (option: T) => string;
  onValue: (option: T) => void;
}

export function Choices<T extends string>({ label, name, options, value, text, onValue }: ChoicesProps<T>) {
  return (
    <fieldset class="field">
      <legend>{label}</legend>
      <div class="segments">
        {options.map((option) => (
          <label key={option} class="segment">
            <input
              type="radio"
              name={name}
              value={option}
              checked={option === value}
              onChange={() => onValue(option)}
            />
            {text(option)}
          </label>
        ))}
      </div>
    </fieldset>
  );
}

/** One count of the case as a text field, wherever it is mentioned. */
export function CaseNumber({ field, label }: { field: 'tokens' | 'sequences'; label: string }) {
  const id = useId();
  const { case: chosen, change, problem } = useHow();
  const [unread, setUnread] = useState<string | undefined>(undefined);
  const refused =
    problem.value && fieldOf(problem.value) === (field === 'tokens' ? 'context' : 'sequences')
      ? sayNotice(problem.value)
      : undefined;
  const message = unread === undefined ? refused && `${refused} ${t('how.case.stale')}` : unreadable(unread);
  return (
    <>
      <NumberField
        id={`${id}-number`}
        label={label}
        value={count(chosen.value[field])}
        parse={parseCount}
        onValue={(value) => change({ [field]: value })}
        onUnreadable={setUnread}
        invalid={message !== undefined}
        describedBy={message === undefined ? undefined : `${id}-message`}
      />
      {message !== undefined && <FieldMessage id={`${id}-message`} text={message} />}
    </>
  );
}

/** "2,048 tokens × 1 request", both to be changed in place. */
export function CaseLine() {
  return (
    <p class="case-line">
      {t('how.case.before')}
      <span>
        <CaseNumber field="tokens" label={t('how.case.tokensNumber')} /> {t('how.case.tokensUnit')}
      </span>
      <span aria-hidden="true">×</span>
      <span>
        <CaseNumber field="sequences" label={t('how.case.sequencesNumber')} /> {t('how.case.sequencesUnit')}
      </span>
    </p>
  );
}

const nameOf = (size: string): string => size.replace('article/', '').toUpperCase();
export { nameOf as sizeName };

function Slider({
  field,
  label,
  stops,
  marks,
  text,
}: {
  field: 'tokens' | 'sequences';
  label: string;
  stops: number[];
  marks: number[];
  text: (n: number) => string;
}) {
  const id = useId();
  const { case: chosen, change } = useHow();
  return (
    <div class="field">
      <div class="field-head">
        <label for={id}>{label}</label>
        <CaseNumber field={field} label={t(`how.case.${field}Number`)} />
      </div>
      <StopSlider
        id={id}
        value={chosen.value[field]}
        stops={stops}
        marks={marks}
        markText={tokensShort}
        valueText={text}
        onValue={(value) => change({ [field]: value })}
      />
    </div>
  );
}

export function CaseControls() {
  const { case: chosen, change, reset, data } = useHow();
  const { catalogue } = useStore();
  const original = data.figures.case;
  const { model, format } = chosen.value;
  const most = catalogue.value?.models.find(({ id }) => id === model)?.max_context_tokens ?? original.tokens;
  const isChanged = (Object.keys(original) as (keyof Case)[]).some((key) => original[key] !== chosen.value[key]);
  return (
    <div class="case-controls">
      <Choices
        label={t('how.case.size')}
        name="size"
        options={kSizes}
        value={model as (typeof kSizes)[number]}
        text={nameOf}
        onValue={(value) => change({ model: value })}
      />
      <Choices
        label={t('field.weights')}
        name="format"
        options={kFormats}
        value={format}
        text={(value) => weightsName(value)}
        onValue={(value) => change({ format: value })}
      />
      <Slider
        field="tokens"
        label={t('field.context')}
        stops={octaveStops(kLeastTokens, most, 4, 32)}
        marks={marksOf(kLeastTokens, most)}
        text={(tokens) => t('field.tokens', { count: count(tokens) })}
      />
      <Slider
        field="sequences"
        label={t('field.sequences')}
        stops={octaveStops(1, kMostSequences, 4, 1)}
        marks={marksOf(1, kMostSequences)}
        text={(requests) => t('field.requests', { count: requests })}
      />
      <button class="text-button" type="button" disabled={!isChanged} onClick={reset}>
        {t('how.case.reset')}
      </button>
    </div>
  );
}
