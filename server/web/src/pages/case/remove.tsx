import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { problemFrom } from "../../app/load.ts";
import { go, href } from "../../app/route.ts";
import { answered, Problem, type Schemas, service } from "../../app/service.ts";
import { ProblemBox } from "../../ui/state.tsx";
import { visible } from "../../ui/value.tsx";

/** Asks for the id of a case before it is deleted, and deletes only the revision that was shown. */
export function Remove({ c, close }: { c: Schemas["Case"]; close: () => void }) {
  const box = useRef<HTMLDialogElement>(null);
  const [typed, setTyped] = useState("");
  const [problem, setProblem] = useState<Problem>();
  useLayoutEffect(() => box.current?.showModal(), []);
  const path = { tenant: c.tenant ?? "", case: c.id ?? "" };
  const remove = async () => {
    try {
      const now = (await answered(service.api.GET("/v1/cases/{tenant}/{case}", { params: { path } }))).case;
      if (now?.revision !== c.revision) throw new Problem(409, { reason: "REVISION_MISMATCH", detail: `the case is at revision ${now?.revision} by now, not ${c.revision}: look at it again` });
      await answered(service.api.DELETE("/v1/cases/{tenant}/{case}", { params: { path } }));
      // Who has gone elsewhere meanwhile stays there.
      if (box.current) go(href(["cases"], { tenant: path.tenant }));
    } catch (e) {
      setProblem(problemFrom(e));
    }
  };
  return (
    <dialog ref={box} onClose={close} aria-labelledby="remove-title">
      <form
        onSubmit={(e) => {
          e.preventDefault();
          if (typed === c.id) void remove();
        }}
      >
        <h2 id="remove-title">Delete {visible(`${c.tenant}/${c.id}`)}, revision {c.revision}</h2>
        <p>
          It will be as if the case had never been submitted: its sightings, links and reviews go, and actors may fall apart. Nothing brings it back but submitting it again.
        </p>
        <label for="typed">
          The id of the case, <code>{visible(c.id ?? "")}</code>, to go on
        </label>{" "}
        <input id="typed" value={typed} onInput={(e) => setTyped(e.currentTarget.value)} autocomplete="off" spellcheck={false} />
        {problem && <ProblemBox problem={problem} />}
        <div class="bar-row">
          <button type="submit" disabled={typed !== c.id}>
            Delete
          </button>
          <button type="button" onClick={() => box.current?.close()}>
            Cancel
          </button>
        </div>
      </form>
    </dialog>
  );
}
