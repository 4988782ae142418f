/** Colours of the theme, as a canvas takes them. */
export interface Paint {
  text: string;
  muted: string;
  line: string;
  back: string;
  accent: string;
  /** The neutral one, then those of groups. */
  colours: readonly string[];
}

/** Reads the colours that hold where an element stands; its own colour is lent for that. */
export function readPaint(probe: HTMLElement): Paint {
  const read = (name: string) => {
    probe.style.color = `var(--${name})`;
    const c = getComputedStyle(probe).color;
    probe.style.color = "";
    return c;
  };
  return {
    text: read("text"),
    muted: read("muted"),
    line: read("edge"),
    back: read("surface"),
    accent: read("accent"),
    colours: Array.from({ length: 9 }, (_, i) => read(`series-${i}`)),
  };
}

/** Calls after each change of the theme, until the returned function is called. */
export function watchPaint(changed: () => void): () => void {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const chosen = new MutationObserver(changed);
  chosen.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  system.addEventListener("change", changed);
  return () => {
    chosen.disconnect();
    system.removeEventListener("change", changed);
  };
}
