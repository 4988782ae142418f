import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { caseHref, keep } from "../../app/route.ts";
import { Rows, type Column } from "../../ui/rows.tsx";
import { Nothing, ProblemBox, Waiting } from "../../ui/state.tsx";
import { visible } from "../../ui/value.tsx";
import { check, type Checked, each, submit, unchecked } from "./check.ts";
import { documentsOf, type Fault } from "./documents.ts";
import { Findings } from "./findings.tsx";
import { Hunt } from "./hunt.tsx";
import { LinkRows } from "./links.tsx";
import { headBytes, natureOf, textOf } from "./logs.ts";

/** Larger files are for the command line, which reads them case by case. */
const largest = 64 << 20;

/** Questions at the same time. */
const together = 4;

/** What the dropped files are. Only what `cases` holds is ever sent. */
interface Read {
  cases: Checked[];
  logs: string[];
  unknown: string[];
  tooLarge: string[];
}

/** Takes files: cases are checked, shown and then submitted; for logs it says what reads them. */
export function SubmitPage({ files, choose, query }: { files: readonly File[]; choose: (files: readonly File[]) => void; query: URLSearchParams }) {
  const [read, setRead] = useState<Read>();
  const [cases, setCases] = useState<Checked[]>([]);
  const [running, setRunning] = useState(false);
  const ended = useRef(new AbortController());
  const partial = query.get("partial") !== null;
  useLayoutEffect(() => {
    const control = new AbortController();
    ended.current = control;
    setRead(undefined);
    setCases([]);
    if (files.length === 0) return;
    void readFiles(files).then(async (r) => {
      if (control.signal.aborted) return;
      setRead(r);
      setCases(r.cases);
      await all(r.cases, (c) => c.state === "checking", (c) => check(c, partial, control.signal));
    });
    return () => control.abort();
  }, [files, partial]);
  // Each is changed in its place, so that what ends first shows first.
  const all = async (list: readonly Checked[], which: (c: Checked) => boolean, run: (c: Checked) => Promise<Checked>) => {
    const signal = ended.current.signal;
    const jobs = [...list.keys()].filter((i) => which(list[i] as Checked));
    await each(jobs, together, async (i) => {
      const before = list[i];
      if (!before || signal.aborted) return;
      const after = await run(before).catch((): Checked => before);
      if (!signal.aborted) setCases((now) => now.with(i, after));
    });
  };
  const ready = cases.filter((c) => c.state === "new" || c.state === "replaces");
  const send = async () => {
    setRunning(true);
    await all(cases, (c) => c.state === "new" || c.state === "replaces", (c) => submit(c, partial, ended.current.signal));
    setRunning(false);
  };
  const stored = cases.filter((c) => c.state === "stored").length;
  const replacing = ready.filter((c) => c.state === "replaces").length;
  return (
    <>
      <h1>Submit cases</h1>
      <Choose choose={choose} />
      {files.length > 0 && !read && <Waiting what="Reading" />}
      {read && (read.logs.length > 0 || read.unknown.length > 0) && <Hunt logs={read.logs} unknown={read.unknown} query={query} />}
      {read?.tooLarge.map((name) => (
        <p class="problem">
          {visible(name)} is larger than 64 MiB: <code>elsewhere submit FILE</code> reads it case by case.
        </p>
      ))}
      {cases.length > 0 && (
        <>
          <div class="bar-row">
            <button type="button" class="main" disabled={ready.length === 0 || running} onClick={() => void send()}>
              {running ? "Submitting…" : `Submit ${ready.length} ${ready.length === 1 ? "case" : "cases"}`}
            </button>
            {replacing > 0 && <span>{replacing === 1 ? "1 replaces the stored case" : `${replacing} replace stored cases`}, as a whole.</span>}
            {stored > 0 && (
              <span role="status">
                {stored} of {cases.length} stored.
              </span>
            )}
            <label>
              <input type="checkbox" checked={partial} disabled={running} onChange={(e) => keep({ partial: e.currentTarget.checked ? "1" : undefined })} /> leave out what is invalid
            </label>
          </div>
          {cases.length === 1 ? cases.map((c) => <One c={c} />) : <Many cases={cases} />}
        </>
      )}
      {read && cases.length === 0 && read.logs.length === 0 && read.unknown.length === 0 && read.tooLarge.length === 0 && <Nothing>There is no case in it.</Nothing>}
    </>
  );
}

async function readFiles(files: readonly File[]): Promise<Read> {
  const out: Read = { cases: [], logs: [], unknown: [], tooLarge: [] };
  for (const f of files) {
    const nature = natureOf(new Uint8Array(await f.slice(0, headBytes).arrayBuffer()));
    if (nature === "audit log" || nature === "archive") out.logs.push(f.name);
    else if (nature === "unknown") out.unknown.push(f.name);
    else if (f.size > largest) out.tooLarge.push(f.name);
    else for (const d of documentsOf(textOf(new Uint8Array(await f.arrayBuffer())))) out.cases.push(unchecked(d, f.name));
  }
  return out;
}

function Choose({ choose }: { choose: (files: readonly File[]) => void }) {
  return (
    <div class="drop">
      <label for="files">Drop files here, or choose them</label>{" "}
      <input id="files" type="file" multiple onChange={(e) => choose([...(e.currentTarget.files ?? [])])} />
      <p class="muted">
        A case as JSON, or many, one a line. They are checked and shown before anything is stored. Audit logs are recognised and stay where they are.
      </p>
    </div>
  );
}

const states: Record<Checked["state"], string> = {
  checking: "checking…",
  new: "new",
  replaces: "replaces",
  wrong: "wrong",
  submitting: "submitting…",
  stored: "stored",
  failed: "not stored",
};

function State({ c }: { c: Checked }) {
  const outcome = c.result?.outcome?.replace("SUBMIT_OUTCOME_", "").toLowerCase();
  const text = c.state === "replaces" ? `replaces revision ${c.revision}` : c.state === "stored" ? `${outcome}, revision ${c.result?.revision}` : states[c.state];
  return <span class={`chip submit-state ${c.state}`}>{text}</span>;
}

function refOf(c: Checked): string {
  return c.document.id === "" ? "" : `${c.document.tenant}/${c.document.id}`;
}

function at(c: Checked): string {
  return `${visible(c.file)}:${c.document.start.line}`;
}

/** One case whole. */
function One({ c }: { c: Checked }) {
  const d = c.document;
  const text = c.state === "wrong" ? undefined : (JSON.parse(d.raw) as Parameters<typeof Findings>[0]["c"]);
  return (
    <>
      <div class="card">
        <h2>
          <bdi class="mono">{visible(refOf(c)) || at(c)}</bdi> <State c={c} />
        </h2>
        {d.title && (
          <p>
            <bdi>{visible(d.title)}</bdi>
          </p>
        )}
        <p class="muted">
          {at(c)}, {d.findings} findings, {d.observables} observables
        </p>
        <Faults c={c} />
      </div>
      {c.result && c.state === "stored" ? <Result c={c} /> : text && <Findings c={text} />}
    </>
  );
}

function Result({ c }: { c: Checked }) {
  const r = c.result;
  const ref = r?.caseRef ?? refOf(c);
  const links = r?.links ?? [];
  return (
    <>
      <p class="bar-row">
        <a class="button" href={caseHref(ref)}>
          Open {visible(ref)}
        </a>
        {r?.actorId && <a href={`#/actors/${encodeURIComponent(r.actorId)}`}>actor {r.actorId}</a>}
      </p>
      <h2>Links {r?.moreLinks && <span class="muted">the best 20</span>}</h2>
      {links.length > 0 ? <LinkRows of={ref} links={links} label={`Links of ${ref}`} /> : <Nothing>No links of tier possible or better that your key is told of.</Nothing>}
    </>
  );
}

/** What is wrong with a case, with the place in its file. */
function Faults({ c }: { c: Checked }) {
  return (
    <>
      {c.faults.length > 0 && (
        <div class="problem" role="alert">
          <p>
            <strong>
              {c.faultsTotal} {c.faultsTotal === 1 ? "fault" : "faults"}; nothing of it is stored
            </strong>
          </p>
          <FaultList c={c} faults={c.faults} />
          {c.faultsTotal > c.faults.length && <p class="muted">and {c.faultsTotal - c.faults.length} more</p>}
        </div>
      )}
      {c.rejected.length > 0 && (
        <div class="problem">
          <p>
            <strong>{c.rejected.length} left out</strong>
          </p>
          <FaultList c={c} faults={c.rejected} />
        </div>
      )}
      {c.state === "failed" && c.problem && <ProblemBox problem={c.problem} />}
    </>
  );
}

function FaultList({ c, faults }: { c: Checked; faults: readonly Fault[] }) {
  return (
    <ul>
      {faults.map((f) => (
        <li>
          <span class="mono">
            {visible(c.file)}:{f.line}:{f.column}
          </span>{" "}
          {f.path && <code>{visible(f.path)}</code>} <bdi>{visible(f.message)}</bdi>
        </li>
      ))}
    </ul>
  );
}

/** Many cases, one a row. */
function Many({ cases }: { cases: readonly Checked[] }) {
  const columns: Column<Checked>[] = [
    { name: "at", cell: at, wide: true },
    { name: "case", cell: (c) => (c.state === "stored" ? <a href={caseHref(refOf(c))}>{visible(refOf(c))}</a> : <bdi>{visible(refOf(c))}</bdi>), by: refOf },
    { name: "title", cell: (c) => <bdi>{visible(c.document.title)}</bdi>, wide: true },
    { name: "state", cell: (c) => <State c={c} />, by: (c) => c.state },
    { name: "observables", cell: (c) => c.document.observables, by: (c) => c.document.observables, num: true },
    { name: "links", cell: (c) => (c.result ? `${c.result.links?.length ?? 0}${c.result.moreLinks ? "+" : ""}` : ""), by: (c) => -(c.result?.links?.length ?? 0), num: true },
    { name: "faults", cell: (c) => <Faults c={c} /> },
  ];
  return <Rows rows={cases} columns={columns} id={(c) => `${c.file} ${c.document.start.line} ${c.document.start.column}`} label="Cases of the files" />;
}
