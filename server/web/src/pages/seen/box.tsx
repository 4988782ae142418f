import { useRef, useState } from "preact/hooks";
import { useHotkeys } from "../../app/hotkeys.ts";
import { maxText } from "./find/extract.ts";

/** Where people paste. What is pasted is looked through at once, what is typed on Enter. */
export function Box({ given, take, small }: { given: string; take: (text: string) => void; small: boolean }) {
  const [text, setText] = useState(given);
  const box = useRef<HTMLTextAreaElement>(null);
  useHotkeys([{ key: "/", help: "search: seen elsewhere?", run: () => box.current?.select() }], []);
  const ask = (t: string) => t.trim() !== "" && take(t);
  return (
    <form
      class="box"
      onSubmit={(e) => {
        e.preventDefault();
        ask(text);
      }}
    >
      <label class="aside" for="paste">
        Values, or any text that holds some
      </label>
      <textarea
        id="paste"
        ref={box}
        rows={small ? 2 : 6}
        value={text.length > 20_000 ? text.slice(0, 20_000) : text}
        spellcheck={false}
        autocomplete="off"
        placeholder="Paste anything: an e-mail with its headers, lines of a log, CSV, JSON, thousands of values. Defanged values are read too."
        onInput={(e) => setText(e.currentTarget.value)}
        onKeyDown={(e) => {
          if (e.key !== "Enter" || e.shiftKey || e.isComposing || (text.includes("\n") && !e.ctrlKey && !e.metaKey)) return;
          e.preventDefault();
          ask(text);
        }}
        onPaste={(e) => {
          const pasted = e.clipboardData?.getData("text/plain") ?? "";
          const field = e.currentTarget;
          // A paste into what somebody is writing is part of that.
          const whole = field.selectionStart === 0 && field.selectionEnd === field.value.length;
          if (pasted === "" || !whole) return;
          e.preventDefault();
          setText(pasted);
          ask(pasted);
        }}
        onDrop={(e) => {
          const file = e.dataTransfer?.files[0];
          if (!file) return;
          e.preventDefault();
          void textOf(file).then((t) => (setText(t), ask(t)));
        }}
      />
      <div class="bar-row">
        <button type="submit" disabled={text.trim() === ""}>
          Find and ask
        </button>
        <button type="button" class="quiet" disabled={text === ""} onClick={() => (setText(""), box.current?.focus())}>
          Empty the box
        </button>
        <span class="muted hint">
          <kbd>Enter</kbd> asks, <kbd>Shift</kbd>+<kbd>Enter</kbd> is a new line. Only values are sent, and only to this service; telephone numbers are not.
        </span>
      </div>
    </form>
  );
}

/** The text of a file: UTF-16 where its first bytes say so, as sheets save it, else UTF-8. */
async function textOf(file: File): Promise<string> {
  const bytes = new Uint8Array(await file.slice(0, 4 * maxText).arrayBuffer());
  const [a, b] = bytes;
  const encoding = a === 0xff && b === 0xfe ? "utf-16le" : a === 0xfe && b === 0xff ? "utf-16be" : "utf-8";
  return new TextDecoder(encoding).decode(bytes);
}
