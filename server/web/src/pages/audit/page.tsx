import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { problemFrom } from "../../app/load.ts";
import { keep, type Route } from "../../app/route.ts";
import { type Problem, type Schemas, service } from "../../app/service.ts";
import { Fields } from "../../ui/form.ts";
import "../../ui/parts.css";
import { Rows } from "../../ui/rows.tsx";
import { Nothing, ProblemBox } from "../../ui/state.tsx";
import { Time } from "../../ui/time.tsx";
import { Value } from "../../ui/value.tsx";
import { asLines, askedOf, counted, instant, pathOf } from "./trail.ts";

type Entry = Schemas["AuditEntry"];

/** What was done and what was told to whom, newest first. */
export default function Page({ route }: { route: Route }) {
  const asked = askedOf(route.query);
  const [round, again] = useState(0);
  const { entries, key, problem, loading } = useTrail(pathOf(asked), round);
  const [saving, setSaving] = useState<Problem | boolean>(false);
  const apply = (form: HTMLFormElement) => {
    const f = new Fields(form);
    keep({ from: f.text("from"), to: f.text("to"), key: f.text("key"), method: f.text("method"), tenant: f.text("tenant"), newest: f.text("newest") });
    again((n) => n + 1);
  };
  const signed = async () => {
    setSaving(true);
    try {
      const parts: Uint8Array<ArrayBuffer>[] = [];
      const from = asked.from ? `&fromTime=${encodeURIComponent(instant(asked.from))}` : "";
      for await (const step of service.stream<Schemas["AuditTrailResponse"]>(`/v1/audit?lines=true${from}`)) {
        if (step.lines) parts.push(Uint8Array.from(atob(step.lines), (c) => c.charCodeAt(0)));
      }
      save(new Blob(parts, { type: "application/x-ndjson" }), "audit-signed.ndjson");
      setSaving(false);
    } catch (e) {
      setSaving(problemFrom(e));
    }
  };
  return (
    <>
      <h1>Audit</h1>
      <form
        class="bar-row"
        key={JSON.stringify(asked)}
        onSubmit={(e) => {
          e.preventDefault();
          apply(e.currentTarget);
        }}
      >
        <label>
          From <input name="from" placeholder="2026-08-01" defaultValue={asked.from} size={17} spellcheck={false} />
        </label>
        <label>
          to <input name="to" placeholder="2026-08-02T12:00" defaultValue={asked.to} size={17} spellcheck={false} />
        </label>
        <label>
          Key <input name="key" placeholder="els_…, open, host" defaultValue={asked.key} size={16} spellcheck={false} />
        </label>
        <label>
          Method <input name="method" placeholder="Seen" defaultValue={asked.method} size={14} spellcheck={false} />
        </label>
        <label>
          Tenant <input name="tenant" defaultValue={asked.tenant} size={12} spellcheck={false} />
        </label>
        <label>
          Newest{" "}
          <select name="newest">
            {[100, 500, 2_000, 10_000].map((n) => (
              <option value={n} selected={n === asked.newest}>
                {n.toLocaleString("en")}
              </option>
            ))}
          </select>
        </label>
        <button type="submit">Show</button>
        <button type="button" disabled={entries.length === 0} onClick={() => save(new Blob([asLines(entries)], { type: "application/x-ndjson" }), "audit.ndjson")}>
          Save as NDJSON
        </button>
        <button type="button" disabled={saving === true} title="From the group in which the first time lies to the last line; elsewhere audit verify checks it." onClick={() => void signed()}>
          Save the signed lines
        </button>
      </form>
      <p class="muted">Times are UTC: a day, or a day and a time.{key && <> The trail is verified with the key <code class="long">{key}</code>.</>}</p>
      {problem && <ProblemBox problem={problem} />}
      {typeof saving === "object" && <ProblemBox problem={saving} />}
      {loading && (
        <p role="status" class="waiting">
          Reading, {entries.length.toLocaleString("en")} so far…
        </p>
      )}
      {entries.length > 0 && (
        <Rows<Entry>
          label="Audit trail"
          rows={entries}
          id={(e) => e.number ?? ""}
          columns={[
            { name: "No.", cell: (e) => e.number, by: (e) => Number(e.number), num: true },
            { name: "Time", cell: (e) => <Time at={e.time} />, by: (e) => e.time ?? "" },
            { name: "Key", cell: (e) => <code>{e.key}</code>, by: (e) => e.key ?? "" },
            { name: "Role", cell: (e) => e.role || "-", by: (e) => e.role ?? "" },
            { name: "Method", cell: (e) => e.method, by: (e) => e.method ?? "" },
            { name: "Answer", cell: (e) => <Answer of={e} />, by: (e) => e.code ?? "" },
            { name: "Counts", cell: (e) => counted(e), wide: true },
            { name: "Tenants", cell: (e) => <Tenants of={e} /> },
            { name: "About", cell: (e) => <About of={e} />, wide: true },
          ]}
        />
      )}
      {!loading && !problem && entries.length === 0 && <Nothing>Nothing of that kind is on record.</Nothing>}
    </>
  );
}

/** Reads the trail as it streams in, the newest first; anew with each round. */
function useTrail(path: string, round: number): { entries: readonly Entry[]; key: string; problem: Problem | undefined; loading: boolean } {
  const [state, set] = useState<{ entries: readonly Entry[]; key: string; problem: Problem | undefined; loading: boolean }>({ entries: [], key: "", problem: undefined, loading: true });
  const told = useRef(0);
  useLayoutEffect(() => {
    const ended = new AbortController();
    const all: Entry[] = [];
    let key = "";
    const put = (loading: boolean, problem?: Problem) => !ended.signal.aborted && set({ entries: all.toReversed(), key, problem, loading });
    const read = async () => {
      for await (const step of service.stream<Schemas["AuditTrailResponse"]>(path, { signal: ended.signal })) {
        key = step.publicKey || key;
        all.push(...(step.entries ?? []));
        if (Date.now() - told.current < 300) continue;
        told.current = Date.now();
        put(true);
      }
    };
    put(true);
    read().then(
      () => put(false),
      (e: unknown) => put(false, problemFrom(e)),
    );
    return () => ended.abort();
  }, [path, round]);
  return state;
}

function Answer({ of }: { of: Entry }) {
  const refused = (of.refused ?? []).reduce((n, r) => n + Number(r.calls ?? 0), 0);
  if (refused > 0) return <span class="state warn">{refused.toLocaleString("en")} calls refused</span>;
  return <span class={`state ${of.code === "OK" || !of.code ? "" : "warn"}`}>{of.change ? `${of.code || "OK"}, changed` : of.code || "-"}</span>;
}

function Tenants({ of }: { of: Entry }) {
  const more = Number(of.moreTenants ?? 0);
  return (
    <>
      {(of.tenants ?? []).join(", ")}
      {more > 0 && <span class="muted"> and {more.toLocaleString("en")} more</span>}
    </>
  );
}

function About({ of }: { of: Entry }) {
  if (of.stripped) return <span class="muted">the content was taken away</span>;
  return (
    <>
      {(of.subjects ?? []).join(" ")}{" "}
      {(of.values ?? []).slice(0, 3).map((v) => (
        <>
          <span class="muted">{v.kind}</span> <Value value={v.value ?? ""} most={40} copy={false} />{" "}
        </>
      ))}
      {(of.values ?? []).length > 3 && <span class="muted">and {(of.values ?? []).length - 3} more</span>}
      {(of.refused ?? []).map((r) => (
        <>
          {r.calls} × {r.method} {r.reason} <span class="muted">{r.key || r.address}</span>{" "}
        </>
      ))}
    </>
  );
}

function save(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const a = document.createElement("a");
  a.href = url;
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
