// SPDX-License-Identifier: Apache-2.0
/** A message in which <b>…</b> marks what matters and `…` marks code. Nothing else is markup. */
export function Rich({ text }: { text: string }) {
  return (
    <>
      {text.split(/(<b>.*?<\/b>|`[^`]*`)/).map((piece, index) => {
        if (piece.startsWith('<b>')) return <b key={index}>{piece.slice(3, -4)}</b>;
        if (piece.startsWith('`') && piece.length > 1) return <code key={index}>{piece.slice(1, -1)}</code>;
        return piece;
      })}
    </>
  );
}
