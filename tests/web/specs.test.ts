// SPDX-License-Identifier: Apache-2.0
// Specs of models go to the core once each, and again to another module or to a catalogue that was loaded anew.
import { describe, expect, it } from 'vitest';
import { coreOf, type CoreModule } from '../../web/src/core/core';
import type { SpecFile } from '../../web/src/core/specs';
import type { Request } from '../../web/src/core/wire';

const file: SpecFile = {
  ids: ['org/One', 'org/Two', 'org/Three'],
  of: [0, 1, 0],
  specs: [{ tensors: [[1, 'x']] }, { tensors: [[0, 'y']] }],
  names: ['a', 'b'],
};

/** A module that answers nothing and keeps which specs it was given. */
function moduleOf(given: string[]): CoreModule {
  return {
    call(text) {
      const { method, params } = JSON.parse(text);
      if (method === 'catalogue.spec') given.push(`${params.id} ${params.spec.names}`);
      return JSON.stringify({ ok: true, result: {}, warnings: [] });
    },
  };
}

const of = (id: string, more: object = {}) => ({ model: { id }, ...more }) as unknown as Request;

function setUp() {
  const first: string[] = [];
  const full: string[] = [];
  const core = coreOf(moduleOf(first), {
    fetchSpecs: async () => file,
    fetchDevices: async () => () => undefined,
    loadFull: async () => moduleOf(full),
  });
  return { core, first, full };
}

describe('the spec of a model', () => {
  it('is given once, with the names that it uses', async () => {
    const { core, first } = setUp();
    core.call('estimate', of('org/One'));
    expect(first).toEqual([]); // not there yet
    await core.bringSpecs();
    core.call('estimate', of('org/One'));
    core.call('estimate', of('one'));
    core.call('speed', { request: of('org/Two') } as never);
    expect(first).toEqual(['org/One b', 'org/Two a']);
  });

  it('is given of models that draft, that run there, and that advice may name, but not of one that is brought', async () => {
    const { core, first } = setUp();
    await core.bringSpecs();
    const running = [{ model: { id: 'org/Three' } }];
    core.call('estimate', of('org/One', { engine: { name: 'vllm', options: { draft_model: 'org/Two' } }, running }));
    expect(first).toEqual(['org/One b', 'org/Three b', 'org/Two a']);
    core.call('advise', {
      ...of('mine'),
      model: { id: 'org/Two', spec: {} },
      relatives: [{ id: 'nobody/knows' }],
    } as never);
    expect(first.length).toBe(3);
  });

  it('is given again to the module of all engines, and to a catalogue of more devices', async () => {
    const { core, first, full } = setUp();
    await core.bringSpecs();
    core.call('estimate', of('org/One'));
    await core.bringDevices();
    core.call('estimate', of('org/One'));
    expect(first).toEqual(['org/One b', 'org/One b']);
    await core.bringEngines();
    await core.bringEngines();
    core.call('estimate', of('org/One'));
    core.call('estimate', of('org/One'));
    expect(full).toEqual(['org/One b']);
  });
});
