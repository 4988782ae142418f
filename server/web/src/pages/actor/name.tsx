import { useState } from "preact/hooks";
import { problemFrom } from "../../app/load.ts";
import { answered, type Problem, type Schemas, service } from "../../app/service.ts";
import { ProblemBox } from "../../ui/state.tsx";

type Actor = Schemas["Actor"];

/** Names an actor: name, aliases, note, and the case that they hang on. */
export function NameForm({ actor, done }: { actor: Actor; done: (a: Actor) => void }) {
  const aliases = (actor.aliases ?? []).join("\n");
  const [problem, setProblem] = useState<Problem>();
  const [busy, setBusy] = useState(false);
  const [open, setOpen] = useState(false);
  const save = async (form: HTMLFormElement) => {
    const text = (name: string) => String(new FormData(form).get(name) ?? "").trim();
    const next = { name: text("name"), aliases: text("aliases").split("\n").map((a) => a.trim()).filter((a) => a !== ""), note: text("note"), anchor: text("anchor") };
    const mask: (keyof typeof next)[] = [];
    if (next.name !== (actor.name ?? "")) mask.push("name");
    if (next.aliases.join("\n") !== aliases) mask.push("aliases");
    if (next.note !== (actor.note ?? "")) mask.push("note");
    if (next.anchor !== "" && next.anchor !== (actor.anchor ?? "")) mask.push("anchor");
    if (mask.length === 0) return setOpen(false);
    setBusy(true);
    setProblem(undefined);
    try {
      const body = { actor: Object.fromEntries(mask.map((m) => [m, next[m]])), updateMask: mask.join(",") };
      const answer = await answered(service.api.PATCH("/v1/actors/{actor}", { params: { path: { actor: actor.id ?? "" } }, body }));
      done(answer.actor ?? actor);
      setOpen(false);
    } catch (e) {
      setProblem(problemFrom(e));
    }
    setBusy(false);
  };
  return (
    <details class="card" open={open} onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary>Name it, or write a note</summary>
      <form
        class="form"
        key={actor.namedAt}
        onSubmit={(e) => {
          e.preventDefault();
          void save(e.currentTarget);
        }}
      >
        <label for="actor-name">Name</label>
        <input id="actor-name" name="name" defaultValue={actor.name ?? ""} autocomplete="off" spellcheck={false} />
        <label for="actor-aliases">Also called, one a line</label>
        <textarea id="actor-aliases" name="aliases" rows={2} defaultValue={aliases} spellcheck={false} />
        <label for="actor-note">Note</label>
        <textarea id="actor-note" name="note" rows={3} defaultValue={actor.note ?? ""} />
        <label for="actor-anchor">Hangs on case</label>
        <input id="actor-anchor" name="anchor" list="actor-members" defaultValue={actor.anchor ?? ""} autocomplete="off" spellcheck={false} aria-describedby="actor-anchor-help" />
        <datalist id="actor-members">{open && actor.members?.map((m) => <option value={m} />)}</datalist>
        <p id="actor-anchor-help" class="muted">
          Where this case goes, name and note go: into another actor when the two merge, or with its part when this one splits.
        </p>
        <p>
          <button type="submit" disabled={busy}>
            Save
          </button>
        </p>
        {problem && <ProblemBox problem={problem} />}
      </form>
    </details>
  );
}
