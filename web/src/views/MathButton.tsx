// SPDX-License-Identifier: Apache-2.0
import { t } from '../i18n';

interface MathButtonProps {
  /** What the math is of, for those who do not see the row. */
  name: string;
  isOpen: boolean;
  disabled?: boolean;
  onToggle: () => void;
}

/** Opens and closes "the math" of a row; on a phone it is one sign wide. */
export function MathButton({ name, isOpen, disabled = false, onToggle }: MathButtonProps) {
  const text = t(isOpen ? 'table.hideMath' : 'table.showMath');
  return (
    <button
      class="math-button"
      type="button"
      disabled={disabled}
      aria-expanded={isOpen}
      aria-label={`${text}: ${name}`}
      onClick={onToggle}
    >
      <span class="wide">{text}</span>
      <span class="narrow">{isOpen ? '–' : 'ƒ'}</span>
    </button>
  );
}
