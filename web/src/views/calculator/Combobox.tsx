// SPDX-License-Identifier: Apache-2.0
// Editable combobox with a list and manual selection (WAI-ARIA authoring practices, "combobox autocomplete list").
import { useId, useRef, useState } from 'preact/hooks';
import { t } from '../../i18n';
import { Icon } from '../Icon';

export interface Choice {
  id: string;
  label: string;
  detail?: string;
  /** A heading over it, said once for neighbours that share it. */
  group?: string;
  /** What else it is found by. */
  keywords: string;
}

interface ComboboxProps {
  id: string;
  label: string;
  value: string;
  choices: Choice[];
  /** Finds better than by the words of `choices`, and says so when there is nothing. */
  search?: { find(text: string): Choice[]; nothing(query: string): string } | undefined;
  onOpen?: () => void;
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
  search,
  onOpen,
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

  const plain = (): Choice[] => (draft ? choices.filter((choice) => matches(choice, draft)) : choices);
  const list = isOpen ? (search?.find(draft ?? '') ?? plain()) : [];
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
  function open(): void {
    setOpen(true);
    onOpen?.();
  }
  function move(step: number): void {
    open();
    const next = list.length === 0 ? 0 : (active + step + list.length) % list.length;
    setActive(isOpen ? next : 0);
    document.getElementById(optionId(next))?.scrollIntoView({ block: 'nearest' });
  }
  function onKeyDown(event: KeyboardEvent): void {
    const chosen = list[active];
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') move(event.key === 'ArrowDown' ? 1 : -1);
    else if (event.key === 'Enter' && isOpen && chosen) choose(chosen);
    else if (event.key === 'Enter') open();
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
            open();
          }}
          onPaste={(event) => {
            const text = event.clipboardData?.getData('text/plain') ?? '';
            if (onPaste?.(text)) {
              event.preventDefault();
              close();
            }
          }}
          onFocus={(event) => event.currentTarget.select()}
          onClick={open}
          onBlur={close}
          onKeyDown={onKeyDown}
        />
      </div>
      <ul id={listId} class="options" role="listbox" aria-label={label} hidden={!isOpen}>
        {list.map((choice, index) => [
          choice.group && choice.group !== list[index - 1]?.group && (
            <li key={choice.group} class="group" role="presentation">
              {choice.group}
            </li>
          ),
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
          </li>,
        ])}
        {isOpen && list.length === 0 && (
          <li class="nothing" role="option" aria-disabled="true" aria-selected="false">
            {search?.nothing(draft ?? '') ?? t('combobox.nothing', { query: draft ?? '' })}
          </li>
        )}
      </ul>
    </div>
  );
}
