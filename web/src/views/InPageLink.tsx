// SPDX-License-Identifier: Apache-2.0
import type { ComponentChildren } from 'preact';

interface InPageLinkProps {
  /** Id of the element to go to; it takes the focus, so it needs a tabIndex of -1. */
  to: string;
  class?: string;
  children: ComponentChildren;
}

/** Goes to a part of the page and leaves the address alone: what stands behind its `#` are the settings (public/boot.js). */
export function InPageLink({ to, class: className, children }: InPageLinkProps) {
  return (
    <a class={className} href={`#${to}`} data-part>
      {children}
    </a>
  );
}
