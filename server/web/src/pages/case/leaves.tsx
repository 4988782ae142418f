import { useMemo, useState } from "preact/hooks";
import { problemFrom, useLoad } from "../../app/load.ts";
import { keep } from "../../app/route.ts";
import { answered, type Problem, type Schemas, service } from "../../app/service.ts";
import { type Column, Rows } from "../../ui/rows.tsx";
import { Nothing, ProblemBox, Waiting } from "../../ui/state.tsx";
import { listedTiers, tierNames } from "../../ui/tier.tsx";
import { Value, visible } from "../../ui/value.tsx";
import { type Bundle, bundleOf, fileOf } from "./bundle.ts";
import { formats, labels, type Leaving, named } from "./event.ts";

/** What would leave the deployment of a case, under a label and for somebody, before any of it does. */
export function Leaves({ c, query }: { c: Schemas["Case"]; query: URLSearchParams }) {
  const label = labels.find((l) => l === query.get("label")) ?? "amber+strict";
  const tier = listedTiers.find((t) => tierNames[t] === query.get("with"));
  const receiver = query.get("for") ?? "";
  const empty = query.get("empty") !== null;
  const without = useMemo(() => withoutOf(query.get("without")), [query.get("without")]);
  const [approval, setApproval] = useState("");
  const selection = useMemo<Schemas["Selection"]>(
    () => ({
      caseRef: `${c.tenant}/${c.id}`,
      tlp: label,
      receiver,
      acceptEmptyDictionary: empty,
      without,
      ...(tier ? { minTier: tier } : {}),
      ...(approval ? { approval } : {}),
    }),
    [c, label, receiver, empty, without, tier, approval],
  );
  const bundle = useLoad((signal) => bundleOf(selection, signal), [selection]);
  const setWithout = (list: readonly Schemas["Observable"][]) => keep({ without: list.length > 0 ? JSON.stringify(list.map((o) => [o.kind, o.value])) : undefined });
  return (
    <>
      <div class="bar-row">
        <label for="as-label">Label</label>
        <select id="as-label" value={label} onChange={(e) => keep({ label: e.currentTarget.value })}>
          {labels.map((l) => (
            <option value={l}>tlp:{l}</option>
          ))}
        </select>
        <label for="with-tier">with linked cases</label>
        <select id="with-tier" value={tier ? tierNames[tier] : ""} onChange={(e) => keep({ with: e.currentTarget.value })}>
          <option value="">none</option>
          {listedTiers.map((t) => (
            <option value={tierNames[t]}>from {tierNames[t]}</option>
          ))}
        </select>
        <label for="for-whom">for</label>
        <input id="for-whom" value={receiver} placeholder="receiver" maxLength={100} onChange={(e) => keep({ for: e.currentTarget.value.trim() })} />
        <label>
          <input type="checkbox" checked={empty} onChange={(e) => keep({ empty: e.currentTarget.checked ? "1" : undefined })} /> also where nobody said what names the tenant
        </label>
      </div>
      {without.length > 0 && (
        <p class="bar-row">
          stays:
          {without.map((o) => (
            <button type="button" class="chip" onClick={() => setWithout(without.filter((x) => x !== o))} aria-label={`Let ${visible(o.value ?? "")} leave again`}>
              {visible(o.value ?? "").slice(0, 60)} ✕
            </button>
          ))}
        </p>
      )}
      {bundle.problem ? (
        <Refused c={c} problem={bundle.problem} selection={selection} back={(o) => setWithout([...without, o])} approve={setApproval} again={bundle.again} />
      ) : bundle.loading || !bundle.data ? (
        <Waiting what="Looking through it for victims" />
      ) : (
        <Shown bundle={bundle.data} selection={selection} c={c} back={(o) => setWithout([...without, o])} />
      )}
    </>
  );
}

/** Reads the values that stay from the address; what is no list of them is none. */
function withoutOf(text: string | null): Schemas["Observable"][] {
  try {
    const list: unknown = JSON.parse(text ?? "[]");
    if (!Array.isArray(list)) return [];
    return list.flatMap((pair: unknown) => (Array.isArray(pair) && typeof pair[0] === "string" && typeof pair[1] === "string" ? [{ kind: pair[0], value: pair[1] }] : []));
  } catch {
    return [];
  }
}

/** What stands in the way, and what can be done about it. */
function Refused({ c, problem, selection, back, approve, again }: {
  c: Schemas["Case"];
  problem: Problem;
  selection: Schemas["Selection"];
  back: (o: Schemas["Observable"]) => void;
  approve: (token: string) => void;
  again: () => void;
}) {
  const [token, setToken] = useState("");
  const [given, setGiven] = useState<Schemas["ApproveExportResponse"]>();
  const [refused, setRefused] = useState<Problem>();
  const give = async () => {
    setRefused(undefined);
    try {
      setGiven(await answered(service.api.POST("/v1/exports/approve", { body: { selection } })));
    } catch (e) {
      setRefused(problemFrom(e));
    }
  };
  const victims = problem.errors.filter((v) => v.reason === "NAMES_VICTIM");
  const needs = problem.reason === "APPROVAL_NEEDED" || problem.reason === "APPROVAL_INVALID";
  return (
    <>
      <ProblemBox problem={problem} again={again} />
      {victims.map((v) => {
        const o = named(c, v.path);
        return (
          o && (
            <p class="bar-row">
              <code>{v.path}</code> is <Value value={o.value ?? ""} />
              <button type="button" onClick={() => back({ kind: o.kind ?? "", value: o.value ?? "" })}>
                Keep it back
              </button>
            </p>
          )
        );
      })}
      {problem.reason === "EMPTY_DICTIONARY" && <p>Say what names the tenant (its names, domains and networks), so that it can be looked for, or tick the box above.</p>}
      {problem.reason === "LABEL" && <p>A stricter label lets it leave to fewer. An administrator may set the ceiling of the tenant.</p>}
      {needs && (
        <div class="card">
          <p>A clear bundle needs two leads. The other one opens this very address, approves, and hands over the token.</p>
          <form
            class="bar-row"
            onSubmit={(e) => {
              e.preventDefault();
              approve(token.trim());
            }}
          >
            <label for="approval">Token of another lead</label>
            <input id="approval" value={token} onInput={(e) => setToken(e.currentTarget.value)} autocomplete="off" spellcheck={false} />
            <button type="submit">Use it</button>
            <button type="button" onClick={() => void give()}>
              Approve for another lead
            </button>
          </form>
          {given && (
            <p>
              Approved: bundle {given.digest}, until {given.expireTime?.slice(0, 16).replace("T", " ")}. Token: <Value value={given.approval ?? ""} most={400} />
            </p>
          )}
          {refused && <ProblemBox problem={refused} />}
        </div>
      )}
    </>
  );
}

function Shown({ bundle, selection, c, back }: { bundle: Bundle; selection: Schemas["Selection"]; c: Schemas["Case"]; back: (o: Schemas["Observable"]) => void }) {
  const counts = bundle.summary.counts ?? {};
  const denied = Object.entries(counts.denied ?? {});
  const columns: Column<Leaving>[] = [
    { name: "as", cell: (v) => <span class={`chip ${v.indicator ? "indicator" : "context"}`}>{v.indicator ? "indicator" : "context"}</span>, by: (v) => (v.indicator ? 0 : 1) },
    { name: "type", cell: (v) => visible(v.type), by: (v) => v.type },
    { name: "value", cell: (v) => <Value value={v.value} most={100} />, by: (v) => v.value },
    { name: "why", cell: (v) => <bdi>{visible(v.indicator ? v.comment : v.reason)}</bdi> },
    {
      name: "keep",
      cell: (v) => (
        <button type="button" class="quiet" onClick={() => back({ kind: "", value: v.value })}>
          Keep back
        </button>
      ),
    },
  ];
  return (
    <>
      <p>
        <strong>{bundle.summary.title}</strong>, {bundle.summary.tlp}
      </p>
      <ul class="plain counts">
        <li>
          {counts.indicators ?? 0} indicators and {(counts.items ?? 0) - (counts.indicators ?? 0)} values of context from {counts.cases ?? 0} {counts.cases === 1 ? "case" : "cases"} would leave.
        </li>
        {denied.map(([why, n]) => (
          <li>
            {n} never {n === 1 ? "leaves" : "leave"}: {why}.
          </li>
        ))}
        {(counts.tooStrict ?? 0) > 0 && <li>{counts.tooStrict} linked cases stay by their label or the ceiling of their tenant.</li>}
        {(counts.unseen ?? 0) > 0 && <li>{counts.unseen} values are in no case that may be told of.</li>}
      </ul>
      <Download selection={selection} name={`${c.tenant}-${c.id}`} />
      {bundle.values.length > 0 ? <Rows rows={bundle.values} columns={columns} id={(v) => `${v.type} ${v.value}`} label="What would leave" /> : <Nothing>Nothing would leave.</Nothing>}
    </>
  );
}

function Download({ selection, name }: { selection: Schemas["Selection"]; name: string }) {
  const [format, setFormat] = useState(0);
  const [defang, setDefang] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const [busy, setBusy] = useState(false);
  const take = async () => {
    const f = formats[format];
    if (!f) return;
    setBusy(true);
    setProblem(undefined);
    try {
      const address = URL.createObjectURL(await fileOf({ selection, format: f.format, defang }));
      const a = document.createElement("a");
      a.href = address;
      a.download = `${name}.${f.ending}`;
      a.click();
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
    } catch (e) {
      setProblem(problemFrom(e));
    }
    setBusy(false);
  };
  return (
    <div class="bar-row">
      <label for="as-format">Format</label>
      <select id="as-format" value={format} onChange={(e) => setFormat(Number(e.currentTarget.value))}>
        {formats.map((f, i) => (
          <option value={i}>{f.name}</option>
        ))}
      </select>
      <label>
        <input type="checkbox" checked={defang} onChange={(e) => setDefang(e.currentTarget.checked)} /> defanged
      </label>
      <button type="button" class="main" disabled={busy} onClick={() => void take()}>
        {busy ? "Writing…" : "Export"}
      </button>
      {problem && <ProblemBox problem={problem} />}
    </div>
  );
}
