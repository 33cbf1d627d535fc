// SPDX-License-Identifier: Apache-2.0
// The list below a GPU box: devices by vendor, and whole machines. With its search, its texts and its data it comes when a box is first opened.
import { signal } from '@preact/signals';
import type { ComponentType } from 'preact';
import machinesUrl from '../../../build/catalogue/machines.json?url';
import type { CatalogueDevice } from '../core/wire';
import { memory, type Unit } from '../format';
import { t, tCode } from '../i18n';
import { CatalogueSearch } from '../search/catalogue';
import type { Store } from '../store';
import type { Choice } from '../views/calculator/Combobox';
import { hardwareOf, hostBytes, isMachine, machineFacts, machineName, type MachineRow } from './machines';
import { kMemoryPrefix, memoryChoice, deviceSearch, searchedMachine } from './search';
import { deviceTexts } from './texts';

/** No id of a device begins like this. */
const kMachinePrefix = 'machine:';

function deviceChoice(device: CatalogueDevice, unit: Unit): Choice {
  const values = { memory: memory(device.runtime_bytes, unit), kind: tCode('deviceKind', device.kind) };
  const isSeen = device.capacity_basis === 'measured';
  return {
    id: device.id,
    label: device.name,
    detail: t(isSeen ? 'device.usable' : 'device.usableAtLeast', values),
    keywords: '',
  };
}

export interface DevicePicker {
  find(text: string): Choice[];
  nothing(query: string): string;
  /** Bytes of a card that is known by its memory alone; 0 if the choice is another. */
  memoryOf(id: string): number;
  /** Takes a whole machine; false if the choice is none. */
  takeMachine(id: string): boolean;
  /** Says what was chosen, as long as the settings are those of the machine. */
  Chosen: ComponentType;
}

/** What people have most of comes first. */
const kVendors = ['NVIDIA', 'AMD', 'Apple', 'Intel'];
const kKinds = ['consumer', 'laptop', 'apu', 'workstation', 'datacenter', 'edge', 'slice'];

const unique = (list: string[]): string[] => [...new Set(list)];
const groupOf = ({ vendor, kind }: CatalogueDevice): string => `${vendor} · ${tCode('deviceKind', kind)}`;

/** By vendor and kind, each in the order of the catalogue, which is newest first. */
function grouped(devices: CatalogueDevice[]): CatalogueDevice[] {
  const vendors = unique([...kVendors, ...devices.map(({ vendor }) => vendor)]);
  const kinds = unique([...kKinds, ...devices.map(({ kind }) => kind)]);
  return vendors.flatMap((vendor) =>
    kinds.flatMap((kind) => devices.filter((device) => device.vendor === vendor && device.kind === kind)),
  );
}

export async function devicePicker(store: Store): Promise<DevicePicker> {
  const state = store.coreState.value;
  const [machines] = await Promise.all([
    fetch(machinesUrl).then((response) => response.json() as Promise<MachineRow[]>),
    deviceTexts(),
    state.status === 'ready' && store.bringDevices(state.core),
  ]);
  const devices = grouped(store.catalogue.value?.devices ?? []);
  const nameOf = (id: string): string => devices.find((device) => device.id === id)?.short_name ?? id;
  const findDevices = deviceSearch(devices);
  const machineSearch = new CatalogueSearch(machines.map((row) => searchedMachine(row, nameOf)));
  const chosen = signal<MachineRow | null>(null);
  const choiceOf = (device: CatalogueDevice): Choice => deviceChoice(device, store.unit.value);
  const machineChoice = (machine: MachineRow): Choice => ({
    id: kMachinePrefix + machine.id,
    label: machineName(machine),
    detail: machineFacts(machine, nameOf),
    group: t('machine.group'),
    keywords: '',
  });
  return {
    find(text) {
      if (!text.trim())
        return [
          ...devices.map((device) => ({ ...choiceOf(device), group: groupOf(device) })),
          ...machines.map(machineChoice),
        ];
      const own = memoryChoice(text);
      return [
        ...(own ? [own] : []),
        ...findDevices(text).map(choiceOf),
        ...machineSearch.find(text).map(({ row }) => machineChoice(row)),
      ];
    },
    memoryOf: (id) => (id.startsWith(kMemoryPrefix) ? Number(id.slice(kMemoryPrefix.length)) : 0),
    nothing: (query) => t('device.nothing', { query }),
    takeMachine(id) {
      const machine = machines.find((row) => kMachinePrefix + row.id === id);
      if (!machine) return false;
      store.setHardware(hardwareOf(machine));
      store.setHost({ memory_bytes: hostBytes(machine), bandwidth_gb_s: undefined });
      chosen.value = machine;
      return true;
    },
    Chosen() {
      const machine = chosen.value;
      if (!machine || !isMachine(machine, store.request.value.hardware)) return null;
      return (
        <p class="hint">
          <b>{machineName(machine)}</b>: {machineFacts(machine, nameOf)}
        </p>
      );
    },
  };
}
