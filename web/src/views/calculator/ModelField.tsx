// SPDX-License-Identifier: Apache-2.0
// The model box. What it takes to search, to read files and to ask a host comes when it is used.
import type { ComponentType } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { CatalogueModel, Estimate } from '../../core/wire';
import { parameters } from '../../format';
import { t, tCode, type MessageId } from '../../i18n';
import { useStore } from '../../store';
import { Combobox, type Choice } from './Combobox';
import { FieldMessages, messageId, useFieldNotices } from '../Field';
import { Icon } from '../Icon';
import type { ModelChoices } from './model-choices';
import { modelName } from '../verdict-texts';

interface PickerProps {
  /** What its input is called, for those who do not see the button. */
  name: MessageId;
  isFolder?: boolean;
  onPick: (files: File[]) => void;
}

/** A button for the system's own dialogue; browsers have one for files and another for a folder. */
function FilePicker({ name, isFolder = false, onPick }: PickerProps) {
  const input = useRef<HTMLInputElement>(null);
  const folder = isFolder ? t('field.folder') : undefined;
  return (
    <>
      <button class="drop" type="button" title={folder} aria-label={folder} onClick={() => input.current?.click()}>
        <Icon name={isFolder ? 'folder' : 'file'} />
        {!isFolder && t('field.drop')}
      </button>
      <input
        ref={input}
        class="visually-hidden"
        type="file"
        multiple
        {...(isFolder && { webkitdirectory: true })}
        tabIndex={-1}
        aria-label={t(name)}
        onChange={({ currentTarget }) => {
          const chosen = [...(currentTarget.files ?? [])];
          if (chosen.length > 0) onPick(chosen);
          currentTarget.value = '';
        }}
      />
    </>
  );
}

/** Enough to be found by, until the search is there. */
export const choiceOf = (model: CatalogueModel): Choice => ({
  id: model.id,
  label: model.name,
  keywords: [model.id, model.slug, ...model.aliases].join(' '),
});

function summary({ model }: Estimate): string {
  const size = t('model.parameters', { size: parameters(model.parameters.text) });
  const experts = model.n_experts > 0 ? [t('model.experts', { count: model.n_experts })] : [];
  return [size, ...experts, tCode('attention', model.attention)].join(t('list.comma'));
}

export function ModelField() {
  const store = useStore();
  const { answer, catalogue, outside, request } = store;
  const { hub, spec } = request.value.model;
  const isRead = !hub || spec !== undefined;
  const notices = useFieldNotices('model');
  const models = catalogue.value?.models;
  const choices = useMemo(() => (models ?? []).map(choiceOf), [models]);
  const [search, setSearch] = useState<ModelChoices>();
  const [Panel, setPanel] = useState<ComponentType>();
  const take = () => store.bring(import('../../reader/take'));
  const pick = (files: File[]) => void take().then((taking) => taking?.takeFiles(store, files));
  const isOutside = outside.value !== null;
  useEffect(() => {
    if (isOutside)
      void store
        .bring(import('./OutsidePanel').then((module) => module.outsidePanel))
        .then((panel) => setPanel(() => panel));
  }, [isOutside]);

  function choose({ id }: Choice): void {
    const model = models?.find((known) => known.id === id);
    if (model) store.chooseModel({ id }, model.max_context_tokens);
    else search?.open(store, id);
  }
  function bringSearch(): void {
    if (models && !search)
      void store.bring(import('./model-choices')).then((module) => module?.modelChoices(models).then(setSearch));
  }
  return (
    <div class="field">
      <label for="model">{t('field.model')}</label>
      <Combobox
        id="model"
        label={t('field.model')}
        value={isRead ? modelName(answer.value) : hub}
        choices={choices}
        search={search}
        onOpen={bringSearch}
        describedBy={`model-summary ${messageId('model')}`}
        invalid={notices.length > 0}
        onChoose={choose}
        onPaste={(text) => {
          if (!text.trimStart().startsWith('{')) return false;
          void take().then((taking) => taking?.takeText(store, text));
          return true;
        }}
      />
      <p class="hint" id="model-summary">
        {isRead && summary(answer.value)}
      </p>
      {Panel && <Panel />}
      <div class="pickers">
        <FilePicker name="field.file" onPick={pick} />
        <FilePicker name="field.folderFiles" isFolder onPick={pick} />
      </div>
      <FieldMessages field="model" />
    </div>
  );
}
