// SPDX-License-Identifier: Apache-2.0
// The weights format: a few chips with their sizes, and a list where an engine knows dozens.
import type { FormatChoice } from '../../core/wire';
import { largeUnits, memory, type Unit } from '../../format';
import { t } from '../../i18n';
import { useStore } from '../../store';
import { Group } from '../Field';
import { weightsName } from '../weights-name';

const kMostChips = 6;
/** What people download most, from small to large. */
const kCommonFormats = ['checkpoint', 'bf16', 'fp8', 'int8', 'int4'];
const kCommonFileTypes = ['gguf:Q4_K_M', 'gguf:Q5_K_M', 'gguf:Q6_K', 'gguf:Q8_0'];

/** The first chip names its unit, the others lean on it. */
const chipSize = (choice: FormatChoice, index: number, unit: Unit): string =>
  index === 0 ? memory(choice.bytes, unit) : largeUnits(choice.bytes, unit);

function chipsOf(formats: FormatChoice[], chosen: string): FormatChoice[] {
  if (formats.length <= kMostChips) return formats;
  const files = formats.filter(({ format }) => kCommonFileTypes.includes(format)).sort((a, b) => a.bytes - b.bytes);
  const own = formats.filter(({ resolved }) => resolved === 'checkpoint'); // of a GGUF file that was read
  const common =
    files.length > 0 ? [...own, ...files] : formats.filter(({ format }) => kCommonFormats.includes(format));
  const isOther = (choice: FormatChoice): boolean => choice.format === chosen && !common.includes(choice);
  return [...common, ...formats.filter(isOther)];
}

/** Every format of a long list, smallest first. */
function AllFormats({ formats }: { formats: FormatChoice[] }) {
  const { request, unit, setFormat } = useStore();
  const sorted = [...formats].sort((a, b) => a.bytes - b.bytes);
  return (
    <select
      class="wide-select"
      aria-label={t('format.all')}
      value={request.value.weights.format}
      onChange={(event) => setFormat(event.currentTarget.value)}
    >
      {sorted.map((choice) => (
        <option key={choice.format} value={choice.format}>
          {`${weightsName(choice.resolved)} · ${memory(choice.bytes, unit.value)}`}
        </option>
      ))}
    </select>
  );
}

export function WeightsField() {
  const { request, answer, unit, setFormat } = useStore();
  const formats = answer.value.weights_formats;
  const chosen = request.value.weights.format;
  const isChosen = ({ format, resolved }: FormatChoice): boolean =>
    format === chosen || (format === 'checkpoint' && resolved === chosen);
  return (
    <>
      <Group label={t('field.weights')} class="chips" field="weights">
        {chipsOf(formats, chosen).map((choice, index) => (
          <label
            key={choice.format}
            class={choice.supported ? 'chip' : 'chip unsupported'}
            title={choice.supported ? undefined : t('format.unsupported')}
          >
            <input type="radio" name="weights" checked={isChosen(choice)} onChange={() => setFormat(choice.format)} />
            {weightsName(choice.resolved)}
            <small>{chipSize(choice, index, unit.value)}</small>
          </label>
        ))}
      </Group>
      {formats.length > kMostChips && <AllFormats formats={formats} />}
    </>
  );
}
