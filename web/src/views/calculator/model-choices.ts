// SPDX-License-Identifier: Apache-2.0
// The list below the model box: what is found, what each is, and the way to models that are not in the catalogue.
import type { CatalogueModel } from '../../core/wire';
import { parameters } from '../../format';
import { currentLocale, t, tCode } from '../../i18n';
import { hubReference, nameOf } from '../../reader/hub';
import { offerRemote, readTexts } from '../../reader/take';
import { CatalogueSearch } from '../../search/catalogue';
import { bringListed } from '../../search/listed';
import type { Store } from '../../store';
import type { Choice } from './Combobox';

/** No id of the catalogue begins like this. */
const kHubPrefix = 'hub:';

const month = (date: string): string =>
  new Intl.DateTimeFormat(currentLocale(), { year: 'numeric', month: 'short', timeZone: 'UTC' }).format(new Date(date));

/** What the data says of it, in English only: its kind stands for that in other languages. */
const relation = (model: CatalogueModel): string =>
  currentLocale() === 'en' && model.relation ? model.relation : tCode('kind', model.kind);

const choiceOf = (model: CatalogueModel): Choice => ({
  id: model.id,
  label: model.name,
  detail: [
    parameters(model.summary.parameters),
    model.released && !Number.isNaN(Date.parse(model.released)) ? month(model.released) : '',
    model.license ?? '',
    relation(model),
  ]
    .filter(Boolean)
    .join(' · '),
  keywords: '',
});

function hubChoice(text: string, models: CatalogueModel[]): Choice[] {
  const reference = hubReference(text);
  const isKnown = (id: string): boolean => models.some((model) => model.id.toLowerCase() === id.toLowerCase());
  if (!reference || (!reference.file && isKnown(reference.repository))) return [];
  return [{ id: kHubPrefix + text, label: nameOf(reference), detail: t('read.notInCatalogue'), keywords: '' }];
}

/** What people look for who want to train. */
const kTraining = /\b(?:train|fine-?tun|q?lora|rlhf)|训练|微调/i;

export interface ModelChoices {
  find(text: string): Choice[];
  nothing(query: string): string;
  /** Takes a choice that is not of the catalogue. */
  open(store: Store, id: string): void;
}

export async function modelChoices(counted: CatalogueModel[]): Promise<ModelChoices> {
  const [listed] = await Promise.all([bringListed(), readTexts]);
  const models = counted.map((model) => ({ ...model, ...listed[model.id] }));
  const search = new CatalogueSearch(models);
  const all = models.map(choiceOf);
  return {
    find(text) {
      if (!text.trim()) return all;
      // Of an address only the repository is a name.
      const found = search.find(hubReference(text)?.repository ?? text);
      return [...found.map(choiceOf), ...hubChoice(text, models)];
    },
    nothing: (query) => (kTraining.test(query) ? t('read.training') : t('read.nothing', { query })),
    open(store, id) {
      const reference = hubReference(id.slice(kHubPrefix.length));
      if (reference) void offerRemote(store, reference);
    },
  };
}
