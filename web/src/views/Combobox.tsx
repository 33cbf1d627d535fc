// SPDX-License-Identifier: Apache-2.0
// Editable combobox with a list and manual selection (WAI-ARIA authoring practices, "combobox autocomplete list").
import { useId, useRef, useState } from 'preact/hooks';
import { t } from '../i18n';
import { Icon } from './Icon';

export interface Choice {
  id: string;
  label: string;
  detail?: string;
  /** What else it is found by. */
  keywords: string;
}

interface ComboboxProps {
  id: string;
  label: string;
  value: string;
  choices: Choice[];
  /** A choice made of the typed text itself, such as a memory size. */
  choiceOf?: (text: string) => Choice | undefined;
  describedBy?: string;
  invalid?: boolean;
  onChoose: (choice: Choice) => void;
  /** Takes pasted text instead of the list; true if it did. */
  onPaste?: (text: string) => boolean;
}

/** Every word of the query occurs somewhere in the label or the keywords. */
export function matches(choice: Choice, query: string): boolean {
  const text = `${choice.label} ${choice.keywords}`.toLowerCase();
  return query
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

export function Combobox({
  id,
  label,
  value,
  choices,
  choiceOf,
  describedBy,
  invalid,
  onChoose,
  onPaste,
}: ComboboxProps) {
  const [draft, setDraft] = useState<string | null>(null);
  const [isOpen, setOpen] = useState(false);
  const [active, setActive] = useState(0);
  const input = useRef<HTMLInputElement>(null);
  const listId = useId();

  const made = draft ? choiceOf?.(draft) : undefined;
  const found = draft ? choices.filter((choice) => matches(choice, draft)) : choices;
  const list = made ? [made, ...found] : found;
  const optionId = (index: number): string => `${listId}-${index}`;

  function close(): void {
    setOpen(false);
    setDraft(null);
    setActive(0);
  }
  function choose(choice: Choice): void {
    close();
    onChoose(choice);
  }
  function move(step: number): void {
    setOpen(true);
    const next = list.length === 0 ? 0 : (active + step + list.length) % list.length;
    setActive(isOpen ? next : 0);
    document.getElementById(optionId(next))?.scrollIntoView({ block: 'nearest' });
  }
  function onKeyDown(event: KeyboardEvent): void {
    const chosen = list[active];
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') move(event.key === 'ArrowDown' ? 1 : -1);
    else if (event.key === 'Enter' && isOpen && chosen) choose(chosen);
    else if (event.key === 'Enter') setOpen(true);
    else if (event.key === 'Escape' && isOpen) close();
    else return;
    event.preventDefault();
  }

  return (
    <div class="combobox">
      <div class="input-box">
        <Icon name="search" />
        <input
          ref={input}
          id={id}
          role="combobox"
          aria-label={label}
          aria-expanded={isOpen}
          aria-controls={listId}
          aria-autocomplete="list"
          aria-activedescendant={isOpen && list.length > 0 ? optionId(active) : undefined}
          aria-describedby={describedBy}
          aria-invalid={invalid || undefined}
          autocomplete="off"
          spellcheck={false}
          value={draft ?? value}
          onInput={(event) => {
            setDraft(event.currentTarget.value);
            setActive(0);
            setOpen(true);
          }}
          onPaste={(event) => {
            const text = event.clipboardData?.getData('text/plain') ?? '';
            if (onPaste?.(text)) {
              event.preventDefault();
              close();
            }
          }}
          onFocus={(event) => event.currentTarget.select()}
          onClick={() => setOpen(true)}
          onBlur={close}
          onKeyDown={onKeyDown}
        />
      </div>
      <ul id={listId} class="options" role="listbox" aria-label={label} hidden={!isOpen}>
        {list.map((choice, index) => (
          <li
            key={choice.id}
            id={optionId(index)}
            role="option"
            aria-selected={index === active}
            // The press must not take the focus from the input, or the list would close before the click.
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => choose(choice)}
          >
            <b>{choice.label}</b>
            {choice.detail && <small>{choice.detail}</small>}
          </li>
        ))}
        {list.length === 0 && (
          <li class="nothing" role="option" aria-disabled="true" aria-selected="false">
            {t('combobox.nothing', { query: draft ?? '' })}
          </li>
        )}
      </ul>
    </div>
  );
}
