// SPDX-License-Identifier: Apache-2.0
// The model box. What it takes to search, to read files and to ask a host comes when it is used.
import type { ComponentType } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { CatalogueModel, Estimate } from '../core/wire';
import { parameters } from '../format';
import { t, tCode } from '../i18n';
import { useStore } from '../store';
import { Combobox, type Choice } from './Combobox';
import { FieldMessages, messageId, useFieldNotices } from './Field';
import { Icon } from './Icon';
import type { ModelChoices } from './model-choices';
import { modelName } from './verdict-texts';

/** Enough to be found by, until the search is there. */
const choiceOf = (model: CatalogueModel): Choice => ({
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
  const { answer, catalogue, outside } = store;
  const file = useRef<HTMLInputElement>(null);
  const notices = useFieldNotices('model');
  const models = catalogue.value?.models;
  const choices = useMemo(() => (models ?? []).map(choiceOf), [models]);
  const [search, setSearch] = useState<ModelChoices>();
  const [Panel, setPanel] = useState<ComponentType>();
  const take = () => store.bring(import('../reader/take'));
  const isOutside = outside.value !== null;
  useEffect(() => {
    if (isOutside) void store.bring(import('./OutsidePanel')).then((module) => setPanel(() => module?.OutsidePanel));
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
        value={modelName(answer.value)}
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
        {summary(answer.value)}
      </p>
      {Panel && <Panel />}
      <button class="drop" type="button" onClick={() => file.current?.click()}>
        <Icon name="file" />
        {t('field.drop')}
      </button>
      <input
        ref={file}
        class="visually-hidden"
        type="file"
        multiple
        tabIndex={-1}
        aria-label={t('field.file')}
        onChange={({ currentTarget }) => {
          const chosen = [...(currentTarget.files ?? [])];
          if (chosen.length > 0) void take().then((taking) => taking?.takeFiles(store, chosen));
          currentTarget.value = '';
        }}
      />
      <FieldMessages field="model" />
    </div>
  );
}
