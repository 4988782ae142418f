import { useState } from "preact/hooks";
import { keep } from "../../app/route.ts";
import { defang } from "../../ui/value.tsx";
import { type Filter, type Row, statusNames, tenantsOf } from "./answers.ts";
import { toCSV, toJSON } from "./export.ts";
import { kinds, mayAsk } from "./find/kinds.ts";
import { itemId } from "./state.ts";

/** Which lines are shown, and what is done with all of them. */
export function Filters({ rows, shown, filter, role, correct, drop }: {
  rows: readonly Row[];
  shown: readonly Row[];
  filter: Filter;
  role: string | undefined;
  correct: (ids: ReadonlySet<string>, kind: string) => void;
  drop: (ids: ReadonlySet<string>) => void;
}) {
  const ids = () => new Set(shown.map((r) => itemId(r.item)));
  const any = Object.values(filter).some((f) => f !== "");
  return (
    <div class="filters">
      <div class="bar-row" role="search" aria-label="Filter">
        <input
          type="search"
          placeholder="Filter"
          aria-label="Values that contain"
          value={filter.text}
          onInput={(e) => keep({ text: e.currentTarget.value || undefined })}
          spellcheck={false}
          autocomplete="off"
        />
        <Choice name="kind" label="Any kind" at={filter.kind} of={counted(rows, (r) => [r.kind])} />
        <Choice
          name="status"
          label="Any status"
          at={filter.status}
          of={[...counted(rows, (r) => [r.status]), ["telling", rows.filter((r) => r.status === "seen" && !r.result?.generic).length]]}
          named={{ ...statusNames, telling: "seen, not generic" }}
        />
        <Choice name="tenant" label="Any tenant" at={filter.tenant} of={counted(rows, tenantsOf)} />
        <Choice name="class" label="Any class" at={filter.class} of={counted(rows, (r) => (r.result ? [r.result.class || "none"] : []))} />
        {any && (
          <button type="button" class="quiet" onClick={() => keep({ text: undefined, kind: undefined, status: undefined, tenant: undefined, class: undefined })}>
            Show all
          </button>
        )}
      </div>
      <div class="bar-row all">
        <span class="muted">
          {shown.length === rows.length ? `All ${rows.length.toLocaleString("en")}` : `${shown.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")}`} shown:
        </span>
        <select aria-label="Read all that is shown as another kind" value="" onChange={(e) => (correct(ids(), e.currentTarget.value === "guess" ? "" : e.currentTarget.value), (e.currentTarget.value = ""))}>
          <option value="">read as…</option>
          <KindOptions role={role} />
        </select>
        <button type="button" onClick={() => drop(ids())}>
          Drop
        </button>
        <button type="button" onClick={() => save(toCSV(shown), "text/csv", "csv")}>
          CSV
        </button>
        <button type="button" onClick={() => save(toJSON(shown), "application/json", "json")}>
          JSON
        </button>
        <CopyAll rows={shown} />
      </div>
    </div>
  );
}

/** The kinds that a role may ask for, as options. */
export function KindOptions({ role }: { role: string | undefined }) {
  return (
    <>
      <option value="guess">guess</option>
      {kinds
        .filter((k) => mayAsk(role, k.kind))
        .map((k) => (
          <option value={k.kind} title={k.text}>
            {k.kind}
          </option>
        ))}
    </>
  );
}

function Choice({ name, label, at, of, named = {} }: { name: string; label: string; at: string; of: readonly [string, number][]; named?: Record<string, string> }) {
  // What an address asks for stays to be seen, also where nothing has it.
  const options = at !== "" && !of.some(([o]) => o === at) ? [...of, [at, 0] as const] : of;
  if (options.length < 2 && at === "") return null;
  return (
    <select aria-label={label} value={at} onChange={(e) => keep({ [name]: e.currentTarget.value || undefined })}>
      <option value="">{label}</option>
      {options.map(([o, count]) => (
        <option value={o}>
          {named[o] ?? o} ({count.toLocaleString("en")})
        </option>
      ))}
    </select>
  );
}

function counted(rows: readonly Row[], of: (r: Row) => readonly string[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const r of rows) for (const o of of(r)) counts.set(o, (counts.get(o) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, 500);
}

function CopyAll({ rows }: { rows: readonly Row[] }) {
  const [said, say] = useState("");
  const copy = async (as: (value: string) => string, what: string) => {
    try {
      await navigator.clipboard.writeText([...new Set(rows.map((r) => as(r.value)))].join("\n") + "\n");
      say(what);
    } catch {
      say("not permitted");
    }
    setTimeout(() => say(""), 1500);
  };
  return (
    <>
      <button type="button" onClick={() => void copy((v) => v, "copied")}>
        Copy all
      </button>
      <button type="button" onClick={() => void copy(defang, "copied defanged")}>
        Copy all defanged
      </button>
      <span role="status" class="said">
        {said}
      </span>
    </>
  );
}

/** Hands a file that was made in the page to the browser. */
function save(text: string, type: string, ending: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  const a = document.createElement("a");
  a.href = url;
  a.download = `seen-${new Date().toISOString().slice(0, 16).replace(/[T:]/g, "-")}.${ending}`;
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
