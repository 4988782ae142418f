import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { problemFrom } from "../../app/load.ts";
import { type Problem, type Schemas, service } from "../../app/service.ts";
import { Confirm } from "../../ui/confirm.tsx";
import { ProblemBox } from "../../ui/state.tsx";
import { Time } from "../../ui/time.tsx";

type Progress = Schemas["ErasureProgress"];
type Receipt = Schemas["ErasureReceipt"];

const phases: Record<Schemas["ErasurePhase"], string> = {
  ERASURE_PHASE_UNSPECIFIED: "Erasing",
  ERASURE_PHASE_WAITING: "Waiting: another tenant is being erased",
  ERASURE_PHASE_COUNTING: "Counting what there is",
  ERASURE_PHASE_ERASING: "Erasing",
  ERASURE_PHASE_PURGING: "Writing the files anew",
};

/** Erases a tenant: asked for by its id, followed to its end, with the receipt. */
export function Erase({ tenant }: { tenant: string }) {
  const [asking, ask] = useState(false);
  const [purge, setPurge] = useState(false);
  const [progress, setProgress] = useState<Progress>();
  const [receipt, setReceipt] = useState<Receipt>();
  const [problem, setProblem] = useState<Problem>();
  const left = useRef(new AbortController());
  useLayoutEffect(() => () => left.current.abort(), []);
  const run = async () => {
    setProblem(undefined);
    setReceipt(undefined);
    setProgress({});
    try {
      const path = `/v1/tenants/${encodeURIComponent(tenant)}${purge ? "?purge=true" : ""}`;
      for await (const step of service.stream<Schemas["EraseTenantResponse"]>(path, { method: "DELETE", signal: left.current.signal })) {
        if (step.progress) setProgress(step.progress);
        if (step.receipt) setReceipt(step.receipt);
      }
    } catch (e) {
      if (!left.current.signal.aborted) setProblem(problemFrom(e));
    }
    setProgress(undefined);
  };
  return (
    <section class="card" aria-labelledby="erase">
      <h2 id="erase">Erase the tenant</h2>
      <p class="muted">
        Takes out all that is kept about it, for good, and ends its keys. It is carried out even if this page is closed; to ask again is to listen again, and answers the receipt of one that was
        carried out.
      </p>
      <p class="bar-row">
        <label>
          <input type="checkbox" checked={purge} onChange={() => setPurge(!purge)} disabled={progress !== undefined} /> also write the store's files anew, so that none holds an old copy
        </label>
        <button type="button" class="danger" disabled={progress !== undefined} onClick={() => ask(true)}>
          Erase {tenant}
        </button>
      </p>
      {progress && (
        <p role="status">
          {phases[progress.phase ?? "ERASURE_PHASE_UNSPECIFIED"] ?? "Erasing"}
          {progress.trace && `: ${progress.trace}`} <Bar progress={progress} />
        </p>
      )}
      {problem && <ProblemBox problem={problem} />}
      {receipt && <ReceiptOf receipt={receipt} />}
      {asking && (
        <Confirm
          title={`Erase ${tenant}?`}
          verb="Erase it"
          type={tenant}
          act={async () => {
            // The stream is followed on the page, after the dialog has closed.
            void run();
          }}
          close={() => ask(false)}
        >
          <p>Its cases, sightings, links, reviews, names, keys and record go. There is no way back but a backup{purge ? ", and the store is written anew" : ""}.</p>
        </Confirm>
      )}
    </section>
  );
}

function Bar({ progress }: { progress: Progress }) {
  const of = Number(progress.of ?? 0);
  const done = Number(progress.done ?? 0);
  if (of === 0) return done > 0 ? <>{done.toLocaleString("en")}</> : null;
  return (
    <>
      <progress max={of} value={done} aria-label="Progress" /> {done.toLocaleString("en")} of {of.toLocaleString("en")}
    </>
  );
}

function ReceiptOf({ receipt }: { receipt: Receipt }) {
  const save = () => {
    const text = atob(receipt.document ?? "");
    const url = URL.createObjectURL(new Blob([Uint8Array.from(text, (c) => c.charCodeAt(0))], { type: "application/json" }));
    const a = document.createElement("a");
    a.href = url;
    a.download = `erasure-${(receipt.tenant ?? "").replace(/[^a-z0-9-]/g, "-")}.json`;
    a.click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  };
  return (
    <div role="status" aria-label="Receipt">
      <h3>{receipt.tenant} was erased</h3>
      <dl class="facts">
        <dt>Asked for</dt>
        <dd>
          <Time at={receipt.askTime} /> {receipt.askedBy && `by ${receipt.askedBy}`}
        </dd>
        <dt>No answer tells of it since</dt>
        <dd>
          <Time at={receipt.eraseTime} />
        </dd>
        {receipt.purgeTime && (
          <>
            <dt>No file holds a copy since</dt>
            <dd>
              <Time at={receipt.purgeTime} />
            </dd>
          </>
        )}
        <dt>Taken out</dt>
        <dd>{(receipt.removed ?? []).map((r) => `${Number(r.count ?? 0).toLocaleString("en")} ${r.sort}`).join(", ") || "nothing"}</dd>
        <dt>Stays</dt>
        <dd>
          <ul class="plain">
            {(receipt.stays ?? []).map((s) => (
              <li>{s}</li>
            ))}
          </ul>
        </dd>
        <dt>Copies</dt>
        <dd>{receipt.backups}</dd>
        {(receipt.modelVersions ?? []).length > 0 && (
          <>
            <dt>Models learned from its reviews</dt>
            <dd>{receipt.modelVersions?.join(", ")}</dd>
          </>
        )}
      </dl>
      <p>
        <button type="button" onClick={save}>
          Save the signed receipt
        </button>
      </p>
    </div>
  );
}
