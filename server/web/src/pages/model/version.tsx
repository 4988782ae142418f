import { useState } from "preact/hooks";
import { useLoad } from "../../app/load.ts";
import { href, keep, type Route } from "../../app/route.ts";
import { answered, type Schemas, service } from "../../app/service.ts";
import { Confirm } from "../../ui/confirm.tsx";
import { Rows } from "../../ui/rows.tsx";
import { ProblemBox, Waiting } from "../../ui/state.tsx";
import { Time } from "../../ui/time.tsx";
import { Value } from "../../ui/value.tsx";
import { calibration, figure, gain } from "./names.ts";

type Parameter = Schemas["ModelParameter"];

/** One version: where it comes from, every constant, and its use. */
export function ModelPage({ version, admin, route }: { version: number; admin: boolean; route: Route }) {
  const [round, again] = useState(0);
  const [asking, ask] = useState(false);
  const [even, setEven] = useState(false);
  const loaded = useLoad(async (signal) => answered(service.api.GET("/v1/models/{version}", { params: { path: { version } }, signal })), [version, round]);
  const changedOnly = route.query.get("changed") === "1";
  const find = route.query.get("find") ?? "";
  if (loaded.problem) return <ProblemBox problem={loaded.problem} again={loaded.again} />;
  if (!loaded.data?.model) return <Waiting />;
  const m = loaded.data.model;
  const rows = (loaded.data.parameters ?? []).filter((p) => (!changedOnly || p.value !== p.baseValue) && (p.name ?? "").includes(find));
  return (
    <>
      <h1>
        <a href={href(["model"])}>Model</a> / version {m.version}
      </h1>
      <dl class="facts across">
        <div>
          <dt>State</dt>
          <dd>{m.active ? <span class="state good">used</span> : "not used"}</dd>
        </div>
        <div>
          <dt>Likelihood</dt>
          <dd>{calibration(m)}</dd>
        </div>
        <div>
          <dt>Base</dt>
          <dd>{m.baseVersion === m.version ? "part of the program" : `version ${m.baseVersion}, ${m.changed} constants changed`}</dd>
        </div>
        {(m.reviews ?? 0) > 0 && (
          <>
            <div>
              <dt>Learned from</dt>
              <dd>
                {figure(m.reviews)} judged pairs, under version {m.learnedFromVersion}
              </dd>
            </div>
            <div>
              <dt>Log-loss in bits, held out</dt>
              <dd>{gain(m)}</dd>
            </div>
          </>
        )}
        {m.createdAt && (
          <div>
            <dt>Made</dt>
            <dd>
              <Time at={m.createdAt} /> {m.createdBy && <>by {m.createdBy}</>}
            </dd>
          </div>
        )}
        {m.note && (
          <div>
            <dt>Note</dt>
            <dd>
              <Value value={m.note} copy={false} />
            </dd>
          </div>
        )}
      </dl>
      {admin && !m.active && (
        <p>
          <button type="button" onClick={() => ask(true)}>
            Use this version
          </button>
        </p>
      )}
      <div class="bar-row">
        <label>
          Find <input type="search" value={find} onInput={(e) => keep({ find: e.currentTarget.value })} placeholder="address.hosting" spellcheck={false} />
        </label>
        {m.baseVersion !== m.version && (
          <label>
            <input type="checkbox" checked={changedOnly} onChange={() => keep({ changed: changedOnly ? undefined : "1" })} /> only what differs from version {m.baseVersion}
          </label>
        )}
        <span class="muted">{rows.length.toLocaleString("en")} constants</span>
      </div>
      <Rows<Parameter>
        label={`Constants of version ${m.version}`}
        rows={rows}
        id={(p) => p.name ?? ""}
        columns={[
          { name: "Constant", cell: (p) => <code>{p.name}</code>, by: (p) => p.name ?? "" },
          { name: "Value", cell: (p) => (p.value === p.baseValue ? figure(p.value) : <strong>{figure(p.value)}</strong>), by: (p) => p.value ?? 0, num: true },
          { name: "Base", cell: (p) => figure(p.baseValue), num: true, wide: true },
          { name: "Unit", cell: (p) => p.unit || "-" },
          { name: "May be", cell: (p) => `${figure(p.min)} to ${figure(p.max)}`, wide: true },
          { name: "Origin", cell: (p) => p.origin || "-", wide: true },
        ]}
      />
      <details class="card">
        <summary>Written down</summary>
        <pre class="look" tabIndex={0} aria-label="The model written down">
          {loaded.data.definition}
        </pre>
      </details>
      {asking && (
        <Confirm
          title={`Use version ${m.version}?`}
          verb="Use it"
          act={async () => {
            await answered(service.api.POST("/v1/models/{version}/apply", { params: { path: { version } }, body: even ? { evenIfOutdated: true } : {} }));
            again((n) => n + 1);
          }}
          close={() => ask(false)}
        >
          <p>Every link is scored anew by it. The change can be taken back.</p>
          {(m.learnedFromVersion ?? 0) > 0 && (
            <p>
              <label>
                <input type="checkbox" checked={even} onChange={() => setEven(!even)} /> even if another version is used now than {m.learnedFromVersion}, which it was learned from
              </label>
            </p>
          )}
        </Confirm>
      )}
    </>
  );
}
