// SPDX-License-Identifier: Apache-2.0
import { useHow } from '../../how/store';
import { t } from '../../i18n';
import { useStore } from '../../store';
import { useDeviceNames } from '../use-device-names';
import { machineName, modelName } from '../verdict-texts';
import { weightsName } from '../weights-name';
import { CaseLine, Choices, sizeName } from './CaseControls';

/** The choice between the case and the reader's own setup; the numbers of the case beside it. */
export function Whose({ name }: { name: string }) {
  const { data, figures, whose } = useHow();
  const { answer } = useStore();
  const known = useDeviceNames();
  const deviceNames = known.size > 0 ? known : new Map(Object.entries(data.deviceNames));
  const { model, format } = figures.value.case;
  const texts = {
    case: t('how.whose.case', { size: sizeName(model), format: weightsName(format) }),
    setup: t('how.whose.setup', { model: modelName(answer.value), machine: machineName(answer.value, deviceNames) }),
  };
  return (
    <>
      <Choices
        label={t('how.whose.label')}
        name={name}
        options={['case', 'setup'] as const}
        value={whose.value}
        text={(option) => texts[option]}
        onValue={(option) => {
          whose.value = option;
        }}
      />
      {whose.value === 'case' && <CaseLine />}
    </>
  );
}
