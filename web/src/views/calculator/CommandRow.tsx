// SPDX-License-Identifier: Apache-2.0
// The engine with the present settings, to be pasted into a shell: llama.cpp's command comes with the answer, that of the other servers is asked
// of the module that has the rules of every engine.
import { useEffect, useState } from 'preact/hooks';
import { count } from '../../format';
import { t } from '../../i18n';
import { useStore } from '../../store';

const kServers = ['vllm', 'sglang', 'tensorrt-llm', 'lmdeploy', 'tgi', 'mlc-llm'];

/** What each machine runs, the first machine's first; none before they are known. */
function useCommands(): string[] {
  const { answer, coreState, bring } = useStore();
  const [commands, setCommands] = useState<string[]>([]);
  const { engine, request } = answer.value;
  const own = engine.command;
  const state = coreState.value;
  useEffect(() => {
    setCommands(own ? [own] : []);
    if (own || !kServers.includes(engine.name) || state.status !== 'ready') return;
    let isWanted = true;
    const ask = async (): Promise<void> => {
      await state.core.bringEngines();
      const reply = state.core.call('launch', request);
      if (!isWanted || !reply.ok) return;
      const { command, others = [] } = reply.result;
      setCommands(command ? [command, ...others] : []);
    };
    void bring(ask());
    return () => {
      isWanted = false;
    };
  }, [answer.value, state]);
  return commands;
}

function Command({ command, node }: { command: string; node: number | undefined }) {
  const [said, setSaid] = useState('');
  const copy = (): void => {
    const tell = (text: string) => (): void => setSaid(text);
    navigator.clipboard.writeText(command).then(tell(t('share.copied')), tell(t('share.refused', { link: command })));
  };
  return (
    <div class="expert-row">
      <span>{node === undefined ? t('expert.command') : t('expert.commandOf', { node: count(node) })}</span>
      <button class="button small" type="button" onClick={copy}>
        {t('expert.copyCommand')}
      </button>
      <code class="expert-flags">{command}</code>
      <small role="status">{said}</small>
    </div>
  );
}

export function CommandRow() {
  const commands = useCommands();
  const isOne = commands.length === 1;
  return (
    <>
      {commands.map((command, index) => (
        <Command key={index} command={command} node={isOne ? undefined : index + 1} />
      ))}
    </>
  );
}
