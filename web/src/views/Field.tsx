// SPDX-License-Identifier: Apache-2.0
import type { ComponentChildren } from 'preact';
import type { Notice } from '../core/wire';
import { fieldOf, sayNotice, type Field as FieldName } from '../notices';
import { useStore } from '../store';
import { Icon } from './Icon';
import { Rich } from './Rich';

/** What is wrong with one field: the core's own word on the present settings, then what the link or the file said. */
export function useFieldNotices(field: FieldName): Notice[] {
  const { problem, linkNotices, fileNotice } = useStore();
  const all = [problem.value, fileNotice.value, ...linkNotices.value.filter((notice) => notice.code !== 'unknown_key')];
  return all.filter((notice): notice is Notice => notice !== null && fieldOf(notice) === field);
}

export const messageId = (field: FieldName): string => `message-${field}`;

export function FieldMessage({ id, text }: { id: string; text: string }) {
  return (
    <p class="field-message" id={id}>
      <Icon name="alert" />
      <span>
        <Rich text={text} />
      </span>
    </p>
  );
}

export function FieldMessages({ field }: { field: FieldName }) {
  const notices = useFieldNotices(field);
  if (notices.length === 0) return null;
  return (
    <div id={messageId(field)}>
      {notices.map((notice) => (
        <FieldMessage key={notice.message} id={`${messageId(field)}-${notice.code}`} text={sayNotice(notice)} />
      ))}
    </div>
  );
}

/** A radio group of chips or segments. */
export function Group({
  label,
  class: className,
  children,
  field,
}: {
  label: string;
  class: string;
  children: ComponentChildren;
  field: FieldName;
}) {
  return (
    <fieldset class="field" data-field={field} aria-describedby={messageId(field)}>
      <legend>{label}</legend>
      <div class={className}>{children}</div>
      <FieldMessages field={field} />
    </fieldset>
  );
}
