import { useLayoutEffect } from "preact/hooks";

/** A key that does something on what is shown, and what the help says of it. */
export interface Hotkey {
  /** As `KeyboardEvent.key` names it: "/", "j", "Enter". */
  key: string;
  help: string;
  run: (e: KeyboardEvent) => void;
}

/** Hotkeys of what is shown, innermost last. */
export class Hotkeys {
  private readonly layers: (readonly Hotkey[])[] = [];

  constructor(target: EventTarget) {
    target.addEventListener("keydown", (e) => this.handle(e as KeyboardEvent));
  }

  /** Adds keys until the returned function is called. */
  add(keys: readonly Hotkey[]): () => void {
    this.layers.push(keys);
    return () => {
      const at = this.layers.lastIndexOf(keys);
      if (at >= 0) this.layers.splice(at, 1);
    };
  }

  /** Every key that works now, each once. */
  list(): Hotkey[] {
    const all = new Map<string, Hotkey>();
    for (const layer of this.layers) for (const k of layer) all.set(k.key, k);
    return [...all.values()];
  }

  private handle(e: KeyboardEvent): void {
    if (e.ctrlKey || e.metaKey || e.altKey || e.defaultPrevented || typing(e.target)) return;
    if (document.querySelector("dialog[open]") && e.key !== "Escape") return;
    // Enter on a link or a button is the browser's.
    if (e.key === "Enter" && e.target instanceof Element && e.target.closest("a,button,summary")) return;
    for (const layer of this.layers.toReversed()) {
      const k = layer.find((k) => k.key === e.key);
      if (k) {
        e.preventDefault();
        k.run(e);
        return;
      }
    }
  }
}

/** Whether letters that are pressed are text that somebody writes. */
function typing(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

export const hotkeys = new Hotkeys(window);

/** Gives keys to what is shown for as long as it is. */
export function useHotkeys(keys: readonly Hotkey[], when: readonly unknown[]): void {
  // At once: who presses two keys quickly means the second for what the first has shown.
  useLayoutEffect(() => hotkeys.add(keys), when);
}
