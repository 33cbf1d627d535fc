// SPDX-License-Identifier: Apache-2.0
// A count over several magnitudes: a slider over round stops, and a number field for everything between them.
import { useId, useState } from 'preact/hooks';
import { count, parseCount } from '../../format';
import type { Field } from '../../notices';
import { FieldMessage, FieldMessages, messageId, useFieldNotices } from '../Field';
import { NumberField, unreadable } from '../NumberField';
import { StopSlider, type StopSliderProps } from '../StopSlider';

interface CountSliderProps extends Omit<StopSliderProps, 'id'> {
  field: Field;
  label: string;
  numberLabel: string;
}

export function CountSlider({
  field,
  label,
  numberLabel,
  value,
  stops,
  marks,
  markText,
  valueText,
  onValue,
}: CountSliderProps) {
  const id = useId();
  const [unread, setUnread] = useState<string | undefined>(undefined);
  const notices = useFieldNotices(field);
  const isWrong = unread !== undefined || notices.length > 0;
  return (
    <div class="field" data-field={field}>
      <div class="field-head">
        <label for={id}>{label}</label>
        <NumberField
          id={`${id}-number`}
          label={numberLabel}
          value={count(value)}
          parse={parseCount}
          onValue={onValue}
          onUnreadable={setUnread}
          invalid={isWrong}
          describedBy={isWrong ? `${id}-unread ${messageId(field)}` : undefined}
        />
      </div>
      <StopSlider
        id={id}
        value={value}
        stops={stops}
        marks={marks}
        markText={markText}
        valueText={valueText}
        onValue={onValue}
      />
      {unread !== undefined && <FieldMessage id={`${id}-unread`} text={unreadable(unread)} />}
      <FieldMessages field={field} />
    </div>
  );
}
