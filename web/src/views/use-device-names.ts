// SPDX-License-Identifier: Apache-2.0
import { useMemo } from 'preact/hooks';
import { useStore } from '../store';

/** Short names of the catalogue's devices by id; empty until the catalogue is there. */
export function useDeviceNames(): Map<string, string> {
  const devices = useStore().catalogue.value?.devices;
  return useMemo(() => new Map((devices ?? []).map((device) => [device.id, device.short_name])), [devices]);
}
