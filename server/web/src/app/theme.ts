/** Colours: those of the system, or chosen. The choice is all that the page stores. */
export type Theme = "system" | "light" | "dark";

const order: readonly Theme[] = ["system", "light", "dark"];
const stored = "elsewhere-theme";

/** The theme after another. */
export function nextTheme(t: Theme): Theme {
  return order[(order.indexOf(t) + 1) % order.length] ?? "system";
}

/** The theme that was chosen. */
export function readTheme(): Theme {
  try {
    const t = localStorage.getItem(stored) as Theme | null;
    return t && order.includes(t) ? t : "system";
  } catch {
    return "system";
  }
}

/** Shows a theme. */
export function showTheme(t: Theme): void {
  if (t === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = t;
}

/** Shows and remembers a theme that was chosen. */
export function chooseTheme(t: Theme): void {
  showTheme(t);
  try {
    if (t === "system") localStorage.removeItem(stored);
    else localStorage.setItem(stored, t);
  } catch {
    // A browser that stores nothing forgets the choice.
  }
}
