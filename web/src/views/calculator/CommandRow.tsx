// SPDX-License-Identifier: Apache-2.0
// The engine with the present settings, to be pasted into a shell: llama.cpp's command comes with the answer, that of the other servers is asked
// of the module that has the rules of every engine.
import { useEffect, useState } from 'preact/hooks';
import { t } from '../../i18n';
import { useStore } from '../../store';

const kServers = ['vllm', 'sglang', 'tensorrt-llm', 'lmdeploy', 'tgi', 'mlc-llm'];

function useCommand(): string {
  const { answer, coreState, bring } = useStore();
  const [command, setCommand] = useState('');
  const { engine, request } = answer.value;
  const own = engine.command;
  const state = coreState.value;
  useEffect(() => {
    setCommand(own ?? '');
    if (own || !kServers.includes(engine.name) || state.status !== 'ready') return;
    let isWanted = true;
    const ask = async (): Promise<void> => {
      await state.core.bringEngines();
      const reply = state.core.call('launch', request);
      if (isWanted && reply.ok) setCommand(reply.result.command ?? '');
    };
    void bring(ask());
    return () => {
      isWanted = false;
    };
  }, [answer.value, state]);
  return command;
}

export function CommandRow() {
  const [said, setSaid] = useState('');
  const command = useCommand();
  if (!command) return null;
  const copy = (): void => {
    const tell = (text: string) => (): void => setSaid(text);
    navigator.clipboard.writeText(command).then(tell(t('share.copied')), tell(t('share.refused', { link: command })));
  };
  return (
    <div class="expert-row">
      <span>{t('expert.command')}</span>
      <button class="button small" type="button" onClick={copy}>
        {t('expert.copyCommand')}
      </button>
      <code class="expert-flags">{command}</code>
      <small role="status">{said}</small>
    </div>
  );
}
