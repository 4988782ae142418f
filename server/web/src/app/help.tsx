import { useLayoutEffect, useRef } from "preact/hooks";
import { hotkeys } from "./hotkeys.ts";

/** The keys that work on what is shown. */
export function Help({ close }: { close: () => void }) {
  const box = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => box.current?.showModal(), []);
  return (
    <dialog ref={box} onClose={close} aria-label="Help">
      <h2>Keys</h2>
      <dl class="keys">
        {hotkeys.list().map((k) => (
          <>
            <dt>
              <kbd>{k.key}</kbd>
            </dt>
            <dd>{k.help}</dd>
          </>
        ))}
      </dl>
      <p>
        Times are UTC; the local time shows on hover. Values copy plain or, by [.], defanged. Every state has an address: what stands after # is sent to no
        server.
      </p>
      <p>
        <a href="/v1/docs">Reference of the API</a>
      </p>
      <form method="dialog">
        <button type="submit">Close</button>
      </form>
    </dialog>
  );
}
