import { keep } from "../../app/route.ts";
import type { Answers } from "./answering.ts";
import { type Filter, type Row, type Status, statusNames } from "./answers.ts";
import type { Item } from "./state.ts";
import type { Values } from "./values.ts";

const order: readonly Status[] = ["seen", "unseen", "undisclosed", "unasked", "invalid", "waiting"];

/** What was found, how far the answers are, and what was left out. */
export function Summary({ values, asked, rows, answers, filter, parts, role }: {
  values: Values;
  asked: readonly Item[];
  rows: readonly Row[];
  answers: Answers;
  filter: Filter;
  parts: boolean;
  role: string | undefined;
}) {
  const counts = new Map<string, number>();
  for (const r of rows) counts.set(r.status, (counts.get(r.status) ?? 0) + 1);
  const p = answers.progress;
  const partsOf = values.items.filter((i) => i.part).length;
  return (
    <div class="summary">
      <div class="bar-row">
        <strong>
          {n(asked.length)} {asked.length === 1 ? "value" : "values"}
        </strong>
        {order
          .filter((s) => counts.get(s))
          .map((s) => (
            <button type="button" class={`chip status ${s}`} aria-pressed={filter.status === s} onClick={() => keep({ status: filter.status === s ? undefined : s })}>
              {n(counts.get(s) ?? 0)} {statusNames[s]}
            </button>
          ))}
        {partsOf > 0 && (
          <label>
            <input type="checkbox" checked={parts} onChange={(e) => keep({ parts: e.currentTarget.checked ? undefined : "0" })} /> with {n(partsOf)} hosts and domains that stand only
            within other values
          </label>
        )}
        <span role="status" class="muted">
          {told(answers, counts.get("waiting") ?? 0)}
        </span>
        {p.running && (
          <>
            <progress max={p.records.of || p.of} value={p.records.of ? p.records.done : p.done} aria-label="Answers" />
            <button type="button" onClick={answers.stop}>
              Stop
            </button>
          </>
        )}
        {!p.running && (counts.get("waiting") ?? 0) > 0 && !answers.problem && (
          <button type="button" onClick={answers.again}>
            Go on
          </button>
        )}
      </div>
      {notes(values, rows, role).map((text) => (
        <p class="note">{text}</p>
      ))}
      {values.text && values.text.names.length > 0 && (
        <p class="note">
          {n(values.text.names.length)} lines have no form.{" "}
          <button type="button" onClick={values.takeNames}>
            Ask for them as names of mail rules
          </button>
        </p>
      )}
    </div>
  );
}

function told({ progress: p }: Answers, waiting: number): string {
  if (p.wait > 0) return `The service asks to wait ${p.wait} s.`;
  if (p.took === 0) return p.running ? `${n(p.done)} of ${n(p.of)} answered` : "";
  if (waiting > 0) return "";
  const took = `${n(p.of)} answered in ${p.took < 1000 ? `${Math.round(p.took)} ms` : `${(p.took / 1000).toFixed(1)} s`}`;
  return p.running ? `${took}; what they are: ${n(p.records.done)} of ${n(p.records.of)}` : took;
}

function notes(values: Values, rows: readonly Row[], role: string | undefined): string[] {
  const out: string[] = [];
  const t = values.text;
  if (values.note) out.push(values.note);
  if (t?.cut) out.push("The text is longer than 8 MB: its end was not read.");
  if (t && t.over > 0) out.push(`${n(t.over)} further values are not shown: 20,000 are the most.`);
  if (t && t.numbers > 0) out.push(`${n(t.numbers)} telephone or account numbers are left out: they are never asked for.`);
  if (role === "ROLE_TENANT" && rows.some((r) => r.status === "unasked")) out.push("This key may ask for infrastructure only: other values are shown and not asked for.");
  if (role === "ROLE_TENANT" && rows.some((r) => r.status === "unseen")) out.push("Not seen: not in your cases, and by fewer than 3 others, as far as this service tells.");
  return out;
}

function n(count: number): string {
  return count.toLocaleString("en");
}
