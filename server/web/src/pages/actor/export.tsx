import { useState } from "preact/hooks";
import { problemFrom } from "../../app/load.ts";
import { answered, type Problem, type Schemas, service } from "../../app/service.ts";
import { ProblemBox } from "../../ui/state.tsx";
import { Time } from "../../ui/time.tsx";
import { Counts } from "./counts.tsx";
import { beginning, collect, type ExportFile, type Format, formats, labels, labelText, save } from "./file.ts";
import { PublishForm } from "./publish.tsx";

/** What of an actor may be handed on: looked at first, then saved or published. */
export function ExportCard({ actor }: { actor: Schemas["Actor"] }) {
  const [open, setOpen] = useState(false);
  return (
    <details class="card" onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary>Hand on what was learned</summary>
      {open && (
        <div class="columns">
          <SaveForm actor={actor.id ?? ""} />
          <PublishForm actor={actor.id ?? ""} />
        </div>
      )}
    </details>
  );
}

/** Nothing of this that is in a request before is in one after a change of the form. */
interface Wanted {
  format: Format;
  defang: boolean;
  selection: Schemas["Selection"];
}

function SaveForm({ actor }: { actor: string }) {
  const [format, setFormat] = useState<Format>("EXPORT_FORMAT_CSV");
  const [tlp, setTlp] = useState<string>("amber+strict");
  const [receiver, setReceiver] = useState("");
  const [approval, setApproval] = useState("");
  const [empty, setEmpty] = useState(false);
  const [defang, setDefang] = useState(true);
  const [looked, setLooked] = useState<{ file: ExportFile; of: string; format: Format }>();
  const [approved, setApproved] = useState<{ approval: string; until: string }>();
  const [busy, setBusy] = useState("");
  const [problem, setProblem] = useState<Problem>();
  const wanted: Wanted = {
    format,
    defang,
    selection: { actor, tlp, ...(receiver ? { receiver } : {}), ...(empty ? { acceptEmptyDictionary: true } : {}), ...(approval ? { approval } : {}) },
  };
  const asked = JSON.stringify(wanted);
  const run = async (what: string, task: () => Promise<void>) => {
    setBusy(what);
    setProblem(undefined);
    try {
      await task();
    } catch (e) {
      setProblem(problemFrom(e));
    }
    setBusy("");
  };
  const look = () =>
    run("Writing", async () => {
      const parts = service.stream<Schemas["ExportResponse"]>("/v1/exports", { method: "POST", headers: { "Content-Type": "application/json" }, body: asked });
      setLooked({ file: await collect(parts, (n) => setBusy(`Writing, ${n} items`)), of: asked, format });
    });
  const approve = () =>
    run("Approving", async () => {
      const { approval: _, ...selection } = wanted.selection;
      const answer = await answered(service.api.POST("/v1/exports/approve", { body: { selection } }));
      setApproved({ approval: answer.approval ?? "", until: answer.expireTime ?? "" });
    });
  const current = looked?.of === asked ? looked : undefined;
  return (
    <section aria-labelledby="save">
      <h3 id="save">As a file</h3>
      <form
        class="form"
        onSubmit={(e) => {
          e.preventDefault();
          void look();
        }}
      >
        <label for="export-format">Format</label>
        <select id="export-format" value={format} onChange={(e) => setFormat(e.currentTarget.value as Format)}>
          {Object.entries(formats).map(([key, [name]]) => (
            <option value={key}>{name}</option>
          ))}
        </select>
        <label for="export-tlp">Label</label>
        <select id="export-tlp" value={tlp} onChange={(e) => setTlp(e.currentTarget.value)}>
          {labels.map((l) => (
            <option value={l}>tlp:{l}</option>
          ))}
        </select>
        <label for="export-receiver">Receiver</label>
        <input id="export-receiver" value={receiver} onInput={(e) => setReceiver(e.currentTarget.value)} autocomplete="off" spellcheck={false} />
        <span>Values</span>
        <label>
          <input type="checkbox" checked={defang} onChange={() => setDefang(!defang)} /> defanged (CSV, lists and notices)
        </label>
        {(tlp === "green" || tlp === "clear") && (
          <>
            <span>Victims</span>
            <label>
              <input type="checkbox" checked={empty} onChange={() => setEmpty(!empty)} /> also of tenants of which no name is known to look for
            </label>
          </>
        )}
        {tlp === "clear" && (
          <>
            <label for="export-approval">Approval of a second lead</label>
            <input id="export-approval" value={approval} onInput={(e) => setApproval(e.currentTarget.value.trim())} autocomplete="off" spellcheck={false} />
          </>
        )}
        <p class="bar-row">
          <button type="submit" disabled={busy !== ""}>
            Look at what would leave
          </button>
          {tlp === "clear" && (
            <button type="button" disabled={busy !== ""} onClick={() => void approve()}>
              Approve it for another lead
            </button>
          )}
          <button type="button" class="main" disabled={!current || busy !== ""} onClick={() => current && save(current.file, current.format)}>
            Save the file
          </button>
          <span role="status">{busy && `${busy}…`}</span>
        </p>
      </form>
      {problem && <ProblemBox problem={problem} />}
      {approved && (
        <p>
          Approval for another lead, until <Time at={approved.until} />: <code>{approved.approval}</code>
        </p>
      )}
      {current && <Look file={current.file} />}
    </section>
  );
}

function Look({ file }: { file: ExportFile }) {
  const text = beginning(file);
  return (
    <>
      <p>
        {labelText(file.summary.tlp)} · {file.bytes.toLocaleString("en")} bytes
      </p>
      <Counts counts={file.summary.counts} />
      {text ? (
        <pre class="look" tabIndex={0} aria-label="What would leave">
          {text.text}
          {!text.whole && "…"}
        </pre>
      ) : (
        <p class="muted">The file is no text.</p>
      )}
    </>
  );
}
