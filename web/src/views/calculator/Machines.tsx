// SPDX-License-Identifier: Apache-2.0
import { kMachines } from './owned-machines';
import { t } from '../../i18n';
import { useStore } from '../../store';

/** Machines that people own, over the form. */
export function Machines() {
  const { take, request } = useStore();
  const isChosen = (device: string | undefined, count: number | undefined): boolean => {
    const [row, ...others] = request.value.hardware;
    return others.length === 0 && row?.device === device && row?.count === count;
  };
  return (
    <div class="machines" role="group" aria-labelledby="machines">
      <span id="machines">{t('machines.title')}</span>
      {kMachines.map(({ name, request: setup }) => (
        <button
          key={name}
          class="machine"
          type="button"
          aria-pressed={isChosen(setup.hardware[0]?.device, setup.hardware[0]?.count)}
          onClick={() => take(setup)}
        >
          {name}
        </button>
      ))}
    </div>
  );
}
