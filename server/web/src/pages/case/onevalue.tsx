import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { problemFrom } from "../../app/load.ts";
import { caseHref, href } from "../../app/route.ts";
import { answered, type Problem, type Schemas, service } from "../../app/service.ts";
import { ProblemBox } from "../../ui/state.tsx";
import { Time } from "../../ui/time.tsx";
import { Value, visible } from "../../ui/value.tsx";
import { FactList } from "./findings.tsx";
import type { Gathered } from "./gather.ts";

/** All that is known of one value of a case. */
export function OneValue({ c, g, r, close }: { c: Schemas["Case"]; g: Gathered; r: Schemas["SeenResult"] | undefined; close: () => void }) {
  const box = useRef<HTMLDialogElement>(null);
  const [asked, setAsked] = useState<Schemas["EnrichResponse"]>();
  const [problem, setProblem] = useState<Problem>();
  const [busy, setBusy] = useState(false);
  useLayoutEffect(() => box.current?.showModal(), []);
  const record = asked?.records?.[0] ?? r?.records?.[0];
  const ask = async () => {
    setBusy(true);
    setProblem(undefined);
    try {
      const observables = [{ kind: g.kind, value: g.value }];
      setAsked(await answered(service.api.POST("/v1/enrich", { body: { observables, tenant: c.tenant ?? "", tlp: c.restricted ? "red" : c.tlp || "amber+strict" } })));
    } catch (e) {
      setProblem(problemFrom(e));
    }
    setBusy(false);
  };
  const sightings = (r?.sightings ?? []).filter((s) => !(s.tenant === c.tenant && s.case === c.id));
  return (
    <dialog ref={box} class="one-value" onClose={close} aria-label={`${g.kind} ${visible(g.value)}`}>
      <h2>
        <span class="muted">{visible(g.kind)}</span> <Value value={g.value} most={1000} />
      </h2>
      <p>
        {g.roles.map((role) => (
          <span class="role">{visible(role)}</span>
        ))}{" "}
        {record?.class && (
          <span>
            class {visible(record.class)} <span class="muted">{(record.classReasons ?? []).map(visible).join("; ")}</span>
          </span>
        )}
      </p>
      {r?.generic && <p>Generic: {visible(r.genericReason ?? "")}.</p>}
      <FactList facts={g.facts} />
      <h3>Elsewhere</h3>
      {sightings.length === 0 ? (
        <p class="muted">In no other case that your key is told of.</p>
      ) : (
        <ul class="plain">
          {sightings.map((s) => (
            <li>
              <a href={caseHref(`${s.tenant}/${s.case}`)}>
                {visible(s.tenant ?? "")}/{visible(s.case ?? "")}
              </a>{" "}
              {(s.roles ?? []).map((role) => (
                <span class="role">{visible(role)}</span>
              ))}{" "}
              <Time at={s.firstSeen} day /> – <Time at={s.lastSeen} day />
            </li>
          ))}
        </ul>
      )}
      <p>
        <a href={href(["seen"], { q: g.value })}>{r?.moreSightings ? "All sightings" : "Seen elsewhere?"}</a>
      </p>
      <h3>What the sources say</h3>
      <Fields fields={(record?.fields ?? []).filter((f) => f.status === "LOOKUP_STATUS_OK" || f.caseRef)} />
      {(record?.answers ?? [])
        .filter((a) => a.status !== "LOOKUP_STATUS_OK" && a.status !== "LOOKUP_STATUS_NO_DATA")
        .map((a) => (
          <p class="muted small">
            {visible(a.source ?? "")}: {visible(a.detail || (a.status ?? "").replace("LOOKUP_STATUS_", "").replaceAll("_", " ").toLowerCase())}
          </p>
        ))}
      {(asked?.attributions ?? []).map((a) => (
        <p class="muted small">{visible(a.text ?? "")}</p>
      ))}
      {problem && <ProblemBox problem={problem} />}
      <form method="dialog" class="bar-row">
        <button type="button" disabled={busy || g.value === ""} onClick={() => void ask()} title="Third parties are asked only as far as the operator and the ceiling of the tenant allow.">
          {busy ? "Asking…" : "Ask the sources now"}
        </button>
        <button type="submit">Close</button>
      </form>
    </dialog>
  );
}

function Fields({ fields }: { fields: readonly Schemas["RecordField"][] }) {
  if (fields.length === 0) return <p class="muted">Nothing. That is no sign that it is harmless.</p>;
  return (
    <div class="rows">
      <table aria-label="Fields">
        <tbody>
          {fields.map((f) => (
            <tr>
              <td data-name="field">{visible(f.name ?? "")}</td>
              <td data-name="value">
                <bdi>{visible(f.value ?? "")}</bdi>
                {f.stale && <span class="role">old</span>}
              </td>
              <td data-name="source" class="muted">
                <bdi>{visible(f.source ?? "")}</bdi> {f.caseRef && <a href={caseHref(f.caseRef)}>{visible(f.caseRef)}</a>}
              </td>
              <td data-name="of">
                <Time at={f.dataDate} day />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
