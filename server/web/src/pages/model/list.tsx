import { useState } from "preact/hooks";
import { useLoad } from "../../app/load.ts";
import { go, href, type Route } from "../../app/route.ts";
import { answered, type Schemas, service } from "../../app/service.ts";
import { Confirm } from "../../ui/confirm.tsx";
import { Rows } from "../../ui/rows.tsx";
import { ProblemBox, Waiting } from "../../ui/state.tsx";
import { Time } from "../../ui/time.tsx";
import { Value } from "../../ui/value.tsx";
import { calibration, figure, gain } from "./names.ts";
import { Propose } from "./propose.tsx";

type Model = Schemas["Model"];

/** Versions, which is used, and when which was. */
export function ModelList({ admin, route }: { admin: boolean; route: Route }) {
  const [round, again] = useState(0);
  const [back, setBack] = useState(false);
  const loaded = useLoad(async (signal) => answered(service.api.GET("/v1/models", { signal })), [round]);
  if (loaded.problem) return <ProblemBox problem={loaded.problem} again={loaded.again} />;
  if (!loaded.data) return <Waiting />;
  const active = loaded.data.models?.find((m) => m.active);
  const history = loaded.data.history ?? [];
  return (
    <>
      <h1>Model</h1>
      {active && (
        <p>
          Version <a href={href(["model", String(active.version)])}>{active.version}</a> is used: likelihood of same actor (model {active.version}, {calibration(active)}).
        </p>
      )}
      <Rows<Model>
        label="Versions of the model"
        rows={(loaded.data.models ?? []).toReversed()}
        id={(m) => String(m.version)}
        open={(m) => go(href(["model", String(m.version)]))}
        columns={[
          { name: "Version", cell: (m) => <a href={href(["model", String(m.version)])}>{m.version}</a>, by: (m) => m.version ?? 0, num: true },
          { name: "State", cell: (m) => (m.active ? <span class="state good">used</span> : "-"), by: (m) => Number(m.active ?? false) },
          { name: "Likelihood", cell: calibration },
          { name: "From", cell: (m) => (m.baseVersion === m.version ? "part of the program" : `${m.baseVersion} with ${m.changed} constants changed`) },
          { name: "Learned from", cell: (m) => (m.reviews ? `${figure(m.reviews)} judged pairs` : "-"), by: (m) => m.reviews ?? 0 },
          { name: "Log-loss, bits", cell: gain, wide: true },
          { name: "Made", cell: (m) => <Time at={m.createdAt} />, by: (m) => m.createdAt ?? "" },
          { name: "Note", cell: (m) => <Value value={m.note ?? ""} copy={false} />, wide: true },
        ]}
      />
      {admin && <Propose open={route.query.get("propose") === "1"} stored={() => again((n) => n + 1)} />}
      <section class="card" aria-labelledby="activations">
        <div class="bar-row">
          <h2 id="activations">Which was used when</h2>
          {admin && history.length > 0 && (
            <button type="button" onClick={() => setBack(true)}>
              Take the last change back
            </button>
          )}
        </div>
        {history.length === 0 && <p class="muted">The model was never changed.</p>}
        <ol class="plain">
          {history.map((h) => (
            <li>
              <Time at={h.activatedAt} /> version {h.version} {h.rollback ? "came back after" : "took the place of"} {h.previousVersion}{" "}
              {h.activatedBy && (
                <span class="muted">
                  by <Value value={h.activatedBy} copy={false} />
                </span>
              )}
            </li>
          ))}
        </ol>
      </section>
      {back && (
        <Confirm
          title="Take the last change of the model back?"
          verb="Take it back"
          act={async () => {
            await answered(service.api.POST("/v1/models/rollback", { body: {} }));
            again((n) => n + 1);
          }}
          close={() => setBack(false)}
        >
          <p>The version that was used before is used again, and every link is scored anew.</p>
        </Confirm>
      )}
    </>
  );
}
