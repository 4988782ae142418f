import { caseHref, href } from "../../app/route.ts";
import { answered, type Schemas, service } from "../../app/service.ts";
import { usePages } from "../../ui/pages.ts";
import { Nothing, ProblemBox, Waiting } from "../../ui/state.tsx";
import { Time } from "../../ui/time.tsx";
import { visible } from "../../ui/value.tsx";
import { abuseText, othersText, type Row } from "./answers.ts";

/** What is known of a value, below its line: what it is, and every case that has it. */
export function Detail({ row }: { row: Row }) {
  const r = row.result;
  if (!r) return <Nothing>Not answered yet.</Nothing>;
  const reasons = r.classReasons ?? [];
  const abuse = abuseText(r);
  const facts = (r.records?.[0]?.fields ?? []).filter((f) => f.status === "LOOKUP_STATUS_OK" && f.value);
  return (
    <div class="detail">
      <dl>
        {r.class && (
          <>
            <dt>Class</dt>
            <dd>
              {r.class.replaceAll("_", " ")}
              {reasons.length > 0 && (
                <ul>
                  {reasons.map((x) => (
                    <li>{visible(x)}</li>
                  ))}
                </ul>
              )}
            </dd>
          </>
        )}
        {(r.status === "SEEN_STATUS_SEEN" || r.status === "SEEN_STATUS_NOT_SEEN") && (
          <>
            <dt>Generic</dt>
            <dd>{r.generic ? visible(r.genericReason || "yes") : "no"}</dd>
          </>
        )}
        {(abuse.text || abuse.from) && (
          <>
            <dt>Abuse</dt>
            <dd>
              {abuse.text} <span class="muted">{abuse.from}</span>
            </dd>
          </>
        )}
        {r.otherTenants && (
          <>
            <dt>Other tenants</dt>
            <dd>{othersText(r.otherTenants)}</dd>
          </>
        )}
        {facts.length > 0 && (
          <>
            <dt>Stated</dt>
            <dd>
              <ul class="facts">
                {facts.map((f) => (
                  <li>
                    {(f.name ?? "").replaceAll("_", " ")} <bdi class="mono">{visible(f.value ?? "").slice(0, 300)}</bdi>{" "}
                    <span class="muted">{f.caseRef ? <a href={caseHref(f.caseRef)}>{f.caseRef}</a> : visible(f.source ?? "")}</span>
                  </li>
                ))}
              </ul>
            </dd>
          </>
        )}
      </dl>
      <Sightings row={row} />
    </div>
  );
}

function Sightings({ row }: { row: Row }) {
  const r = row.result;
  if (r?.moreSightings) return <AllSightings row={row} />;
  const sightings = r?.sightings ?? [];
  if (sightings.length === 0) return <Nothing>No case that you may read has it.</Nothing>;
  return <SightingList sightings={sightings} />;
}

function AllSightings({ row }: { row: Row }) {
  const pages = usePages(
    async (pageToken, signal) => {
      const query = { "observable.kind": row.kind, "observable.value": row.value, pageSize: 100, pageToken };
      const p = await answered(service.api.GET("/v1/sightings", { params: { query }, signal }));
      return { rows: p.sightings ?? [], next: p.nextPageToken ?? "" };
    },
    [row.kind, row.value],
  );
  return (
    <>
      <SightingList sightings={pages.rows} />
      {pages.problem && <ProblemBox problem={pages.problem} />}
      {pages.loading && <Waiting what="Loading cases" />}
      {pages.more && (
        <button type="button" onClick={pages.more}>
          More cases
        </button>
      )}
    </>
  );
}

function SightingList({ sightings }: { sightings: readonly Schemas["Sighting"][] }) {
  if (sightings.length === 0) return null;
  return (
    <table class="sightings" aria-label="Cases">
      <thead>
        <tr>
          <th scope="col">Case</th>
          <th scope="col">Roles</th>
          <th scope="col">First seen</th>
          <th scope="col">Last seen</th>
        </tr>
      </thead>
      <tbody>
        {sightings.map((s) => (
          <tr>
            <td>
              <a href={href(["cases", s.tenant ?? "", s.case ?? ""])}>
                {s.tenant}/{visible(s.case ?? "")}
              </a>
              {s.withheld && (
                <span class="chip" title="Restricted or tlp:red: counted nowhere.">
                  restricted
                </span>
              )}
            </td>
            <td>{(s.roles ?? []).map((x) => visible(x).replaceAll("_", " ")).join(", ")}</td>
            <td>
              <Time at={s.firstSeen} />
            </td>
            <td>
              <Time at={s.lastSeen} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
