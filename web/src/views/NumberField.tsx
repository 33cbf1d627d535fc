// SPDX-License-Identifier: Apache-2.0
import { useEffect, useState } from 'preact/hooks';
import { t } from '../i18n';
import { useStore } from '../store';

interface NumberFieldProps {
  id: string;
  label: string;
  /** The value in force, as text; the field shows it whenever nobody is typing. */
  value: string;
  parse: (text: string) => number | undefined;
  onValue: (value: number) => void;
  /** Called with the text while it is no number, and with nothing once it is. */
  onUnreadable: (text: string | undefined) => void;
  describedBy?: string;
  invalid?: boolean;
  class?: string;
  placeholder?: string;
  /** What an emptied field means; without it, an empty field is unreadable. */
  onEmpty?: () => void;
}

/** A number as text: what is typed stays until it is left, even where it makes no sense. */
export function NumberField({
  id,
  label,
  value,
  parse,
  onValue,
  onUnreadable,
  describedBy,
  invalid,
  class: className,
  placeholder,
  onEmpty,
}: NumberFieldProps) {
  const [draft, setDraft] = useState<string | null>(null);
  const generation = useStore().generation.value;
  useEffect(() => {
    setDraft(null);
    onUnreadable(undefined);
  }, [value, generation]);

  function take(text: string): void {
    setDraft(text);
    const number = parse(text);
    if (text.trim() === '' && onEmpty) {
      onUnreadable(undefined);
      onEmpty();
    } else if (number === undefined) {
      onUnreadable(text);
    } else {
      onUnreadable(undefined);
      onValue(number);
    }
  }
  return (
    <input
      id={id}
      class={className ?? 'number-input'}
      inputmode="decimal"
      autocomplete="off"
      aria-label={label}
      aria-describedby={describedBy}
      aria-invalid={invalid || undefined}
      placeholder={placeholder}
      value={draft ?? value}
      onInput={(event) => take(event.currentTarget.value)}
      onBlur={() => {
        if (draft !== null && parse(draft) !== undefined) setDraft(null);
      }}
    />
  );
}

/** The sentence for text that is no number. */
export const unreadable = (text: string): string => t('field.notANumber', { text: text.slice(0, 40) });
