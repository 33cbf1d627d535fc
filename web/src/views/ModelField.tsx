// SPDX-License-Identifier: Apache-2.0
import { useMemo, useRef } from 'preact/hooks';
import type { CatalogueModel, Estimate } from '../core/wire';
import { takeConfigText, takeFile } from '../files';
import { parameters } from '../format';
import { t, tCode } from '../i18n';
import { useStore } from '../store';
import { Combobox, type Choice } from './Combobox';
import { FieldMessages, messageId, useFieldNotices } from './Field';
import { Icon } from './Icon';
import { modelName } from './verdict-texts';

const choiceOf = (model: CatalogueModel): Choice => ({
  id: model.id,
  label: model.name,
  detail: [parameters(model.summary.parameters), tCode('kind', model.kind)].filter(Boolean).join(' · '),
  keywords: [model.id, model.slug, ...model.aliases].join(' '),
});

function summary({ model }: Estimate): string {
  const size = t('model.parameters', { size: parameters(model.parameters.text) });
  const experts = model.n_experts > 0 ? [t('model.experts', { count: model.n_experts })] : [];
  return [size, ...experts, tCode('attention', model.attention)].join(t('list.comma'));
}

export function ModelField() {
  const store = useStore();
  const { answer, catalogue, coreState } = store;
  const file = useRef<HTMLInputElement>(null);
  const notices = useFieldNotices('model');
  const models = catalogue.value?.models;
  const choices = useMemo(() => (models ?? []).map(choiceOf), [models]);
  const core = coreState.value.status === 'ready' ? coreState.value.core : undefined;

  function choose(choice: Choice): void {
    const model = models?.find(({ id }) => id === choice.id);
    if (model) store.chooseModel({ id: model.id }, model.max_context_tokens);
  }
  return (
    <div class="field">
      <label for="model">{t('field.model')}</label>
      <Combobox
        id="model"
        label={t('field.model')}
        value={modelName(answer.value)}
        choices={choices}
        describedBy={`model-summary ${messageId('model')}`}
        invalid={notices.length > 0}
        onChoose={choose}
        onPaste={(text) => {
          if (!core || !text.trimStart().startsWith('{')) return false;
          takeConfigText(store, core, text);
          return true;
        }}
      />
      <p class="hint" id="model-summary">
        {summary(answer.value)}
      </p>
      <button class="drop" type="button" onClick={() => file.current?.click()}>
        <Icon name="file" />
        {t('field.drop')}
      </button>
      <input
        ref={file}
        class="visually-hidden"
        type="file"
        accept=".json,application/json"
        tabIndex={-1}
        aria-label={t('field.file')}
        onChange={(event) => {
          const [chosen] = event.currentTarget.files ?? [];
          if (core && chosen) void takeFile(store, core, chosen);
          event.currentTarget.value = '';
        }}
      />
      <FieldMessages field="model" />
    </div>
  );
}
