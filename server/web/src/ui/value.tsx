import { useState } from "preact/hooks";

/**
 * A value of a case. It came from an attacker: it is shown as text only, characters that
 * turn the direction of text or are not seen are written out, and it is cut where it is
 * longer than `most` characters (whole on hover and when copied).
 */
export function Value({ value, most = 120, copy = true }: { value: string; most?: number; copy?: boolean }) {
  const shown = visible(value);
  return (
    <span class="value">
      <bdi class="mono" title={shown.length > most ? shown.slice(0, 4096) : undefined}>
        {shown.length > most ? shown.slice(0, most) + "…" : shown}
      </bdi>
      {copy && <Copy value={value} />}
    </span>
  );
}

/** Copies a value as it is, or with shift defanged. */
export function Copy({ value }: { value: string }) {
  const [said, say] = useState("");
  const take = async (text: string, what: string) => {
    try {
      await navigator.clipboard.writeText(text);
      say(what);
    } catch {
      say("not permitted");
    }
    setTimeout(() => say(""), 1500);
  };
  return (
    <span class="copy">
      <button type="button" class="quiet" aria-label="Copy" title="Copy" onClick={() => void take(value, "copied")}>
        <svg viewBox="0 0 16 16" aria-hidden="true">
          <rect x="5.5" y="5.5" width="9" height="9" rx="1.5" />
          <path d="M10.5 5.5v-3a1 1 0 0 0-1-1h-7a1 1 0 0 0-1 1v7a1 1 0 0 0 1 1h3" />
        </svg>
      </button>
      <button type="button" class="quiet" aria-label="Copy defanged" title="Copy defanged" onClick={() => void take(defang(value), "defanged")}>
        [.]
      </button>
      <span role="status" class="said">
        {said}
      </span>
    </span>
  );
}

/** Characters that cannot be seen, or turn the direction of what follows. */
const hidden = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff]/gu;

/** Text with what cannot be seen written as its code point. */
export function visible(text: string): string {
  return text.replace(hidden, (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`);
}

/** A value that no program turns into a link: `hxxps://evil[.]example`, `10[.]0[.]0[.]1`. */
export function defang(value: string): string {
  return value.replace(/^http/i, "hxxp").replace(/^ftp/i, "fxp").replaceAll(".", "[.]").replace(/@/g, "[@]");
}
