import { useState } from "preact/hooks";
import { problemFrom, useLoad } from "../../app/load.ts";
import { answered, type Problem, type Schemas, service } from "../../app/service.ts";
import { ProblemBox, Waiting } from "../../ui/state.tsx";
import { Value, visible } from "../../ui/value.tsx";
import { Counts } from "./counts.tsx";
import { labelText } from "./file.ts";

type Report = Schemas["PublishReport"];

/** Changes that are shown; a report holds the first 1,000. */
const changesMost = 200;

const outcomes: Record<Schemas["PublishOutcome"], string> = {
  PUBLISH_OUTCOME_UNSPECIFIED: "done",
  PUBLISH_OUTCOME_CREATED: "created",
  PUBLISH_OUTCOME_UPDATED: "updated",
  PUBLISH_OUTCOME_UNCHANGED: "unchanged",
  PUBLISH_OUTCOME_WITHDRAWN: "withdrawn",
};

/** Publishes an actor to a target: what would change first, then, if that is wanted, for good. */
export function PublishForm({ actor }: { actor: string }) {
  const list = useLoad(async (signal) => (await answered(service.api.GET("/v1/publications", { params: { query: { pageSize: 1 } }, signal }))).targets ?? [], []);
  const [target, setTarget] = useState("");
  const [publish, setPublish] = useState(false);
  const [withdraw, setWithdraw] = useState(false);
  const [busy, setBusy] = useState("");
  const [problem, setProblem] = useState<Problem>();
  const [dry, setDry] = useState<{ report: Report; of: string }>();
  const [sent, setSent] = useState<Report>();
  const name = target || (list.data?.[0]?.name ?? "");
  const kind = list.data?.find((t) => t.name === name)?.kind;
  const wanted: Schemas["PublishRequest"] = { target: name, selection: { actor }, ...(publish ? { publish } : {}), ...(withdraw ? { withdraw } : {}) };
  const asked = JSON.stringify(wanted);
  const run = async (dryRun: boolean) => {
    setBusy(dryRun ? "Comparing" : "Publishing");
    setProblem(undefined);
    setSent(undefined);
    try {
      const init = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ ...wanted, dryRun }) };
      for await (const step of service.stream<Schemas["PublishResponse"]>("/v1/publications", init)) {
        if (step.progress) setBusy(`${dryRun ? "Comparing" : "Publishing"}, ${step.progress.done ?? 0} of ${step.progress.total ?? 0}`);
        if (step.report && dryRun) setDry({ report: step.report, of: asked });
        if (step.report && !dryRun) {
          setSent(step.report);
          setDry(undefined);
        }
      }
    } catch (e) {
      setProblem(problemFrom(e));
    }
    setBusy("");
  };
  const compared = dry?.of === asked ? dry.report : undefined;
  return (
    <section aria-labelledby="publish">
      <h3 id="publish">To a target</h3>
      {list.problem && <ProblemBox problem={list.problem} again={list.again} />}
      {!list.data && !list.problem && <Waiting />}
      {list.data?.length === 0 && <p class="muted">No target is set up. An operator names them in the file of <code>elsewhere serve --publish-config</code>.</p>}
      {list.data && list.data.length > 0 && (
        <form
          class="form"
          onSubmit={(e) => {
            e.preventDefault();
            void run(true);
          }}
        >
          <label for="publish-target">Target</label>
          <select id="publish-target" value={name} onChange={(e) => setTarget(e.currentTarget.value)}>
            {list.data.map((t) => (
              <option value={t.name}>
                {t.name} ({t.kind}, {labelText(t.tlp)})
              </option>
            ))}
          </select>
          <span>Then</span>
          <div>
            {kind === "misp" && (
              <label>
                <input type="checkbox" checked={publish} onChange={() => setPublish(!publish)} /> publish the event{" "}
              </label>
            )}
            <label>
              <input type="checkbox" checked={withdraw} onChange={() => setWithdraw(!withdraw)} /> withdraw all that was sent
            </label>
          </div>
          <p class="bar-row">
            <button type="submit" disabled={busy !== ""}>
              Show what would change
            </button>
            <button type="button" class="main" disabled={!compared || busy !== ""} onClick={() => void run(false)}>
              {withdraw ? "Withdraw it" : "Publish it"}
            </button>
            <span role="status">{busy && `${busy}…`}</span>
          </p>
        </form>
      )}
      {problem && <ProblemBox problem={problem} />}
      {compared && (
        <>
          <p>Nothing was sent yet. It would be:</p>
          <Changes report={compared} />
        </>
      )}
      {sent && (
        <>
          <p role="status">
            <strong>{outcomes[sent.outcome ?? "PUBLISH_OUTCOME_UNSPECIFIED"]}</strong>, revision {sent.revision ?? 0}
            {sent.published && ", published"}
          </p>
          <Changes report={sent} />
        </>
      )}
    </section>
  );
}

const signs: Record<string, string> = { add: "+", change: "~", withdraw: "−" };

/** What differs between a target and what it is to have. */
function Changes({ report }: { report: Report }) {
  const all = report.changes ?? [];
  return (
    <div class="diff">
      <p>
        {report.added ?? 0} added, {report.changed ?? 0} changed, {report.withdrawn ?? 0} withdrawn · {labelText(report.tlp)}
        {report.branch && <> · branch {report.branch}</>}
        {report.commit && <> · commit {report.commit.slice(0, 12)}</>}
        {report.pullRequest && <> · {report.pullRequest}</>}
      </p>
      <Counts counts={report.counts} />
      <ul class="plain">
        {(report.headerChanges ?? []).map((h) => (
          <li>
            ~ <Value value={h} copy={false} />
          </li>
        ))}
        {(report.files ?? []).map((f) => (
          <li class={f.operation}>
            {signs[f.operation ?? ""] ?? "~"} <code>{f.path}</code>
          </li>
        ))}
        {all.slice(0, changesMost).map((c) => (
          <li class={c.operation}>
            {signs[c.operation ?? ""] ?? "~"} <span class="muted">{c.type}</span> <Value value={c.value ?? ""} copy={false} /> <span class="muted">{c.detail}</span>
          </li>
        ))}
      </ul>
      {all.length > changesMost && <p class="muted">and {all.length - changesMost} more</p>}
      <Refused what="did not store" changes={report.dropped ?? []} total={report.droppedTotal ?? 0} />
      <Refused what="stored otherwise" changes={report.altered ?? []} total={report.alteredTotal ?? 0} />
      {(report.notes ?? []).map((n) => (
        <p class="muted">{n}</p>
      ))}
    </div>
  );
}

function Refused({ what, changes, total }: { what: string; changes: readonly Schemas["PublishChange"][]; total: number }) {
  if (total === 0) return null;
  return (
    <p>
      {total} that the target {what}: {visible(changes.slice(0, 10).map((c) => c.value ?? "").join(", "))}
    </p>
  );
}
