// SPDX-License-Identifier: Apache-2.0
// A setting among the expert settings: its name and flag, its field, the way back to the default.
import type { ComponentChildren } from 'preact';
import { useId, useState } from 'preact/hooks';
import { t } from '../../i18n';
import { FieldMessage } from '../Field';
import { Icon } from '../Icon';
import { NumberField, unreadable } from '../NumberField';

interface ExpertRowProps {
  id: string;
  label: string;
  flag?: string;
  hint?: string;
  isChanged: boolean;
  onReset: () => void;
  children: ComponentChildren;
}

export function ExpertRow({ id, label, flag, hint, isChanged, onReset, children }: ExpertRowProps) {
  return (
    <div class="expert-row">
      <label for={id}>
        {label}
        {flag && <code>{flag}</code>}
      </label>
      <div class="expert-value">
        {children}
        <button
          class="reset-dot"
          type="button"
          disabled={!isChanged}
          aria-label={t('expert.reset', { name: label })}
          onClick={onReset}
        >
          {isChanged && <Icon name="undo" />}
        </button>
      </div>
      {hint && <small>{hint}</small>}
    </div>
  );
}

export function NumberRow({
  label,
  flag,
  hint,
  value,
  shown,
  parse,
  onValue,
}: {
  label: string;
  flag?: string;
  hint?: string;
  value: number | undefined;
  shown: (value: number) => string;
  parse: (text: string) => number | undefined;
  onValue: (value: number | undefined) => void;
}) {
  const id = useId();
  const [unread, setUnread] = useState<string | undefined>(undefined);
  return (
    <>
      <ExpertRow
        id={id}
        label={label}
        {...(flag ? { flag } : {})}
        {...(hint ? { hint } : {})}
        isChanged={value !== undefined}
        onReset={() => onValue(undefined)}
      >
        <NumberField
          id={id}
          label={label}
          value={value === undefined ? '' : shown(value)}
          placeholder={t('expert.default')}
          parse={parse}
          onValue={onValue}
          onEmpty={() => onValue(undefined)}
          onUnreadable={setUnread}
          invalid={unread !== undefined}
        />
      </ExpertRow>
      {unread !== undefined && <FieldMessage id={`${id}-unread`} text={unreadable(unread)} />}
    </>
  );
}
