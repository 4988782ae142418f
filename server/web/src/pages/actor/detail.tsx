import { useLayoutEffect, useState } from "preact/hooks";
import { useLoad } from "../../app/load.ts";
import { go, href, linkHref, type Route } from "../../app/route.ts";
import { answered, type Schemas, service } from "../../app/service.ts";
import { useWho } from "../../app/who.ts";
import { countText } from "../../ui/count.ts";
import { ProblemBox, Waiting } from "../../ui/state.tsx";
import { Likelihood, TierBadge } from "../../ui/tier.tsx";
import { Time } from "../../ui/time.tsx";
import { Value } from "../../ui/value.tsx";
import { ExportCard } from "./export.tsx";
import { History } from "./history.tsx";
import { NameForm } from "./name.tsx";
import { PictureCard } from "./picture.tsx";
import { Strip } from "./strip-view.tsx";
import { useStudy } from "./study.ts";
import { CaseTimes } from "./timeline-view.tsx";

type Actor = Schemas["Actor"];

/** Tenants that are named at most before one asks for all. */
const tenantsMost = 30;

/** One actor: who shares what, when, how, what leads out of it, and what became of it. */
export function ActorPage({ id, route }: { id: string; route: Route }) {
  const loaded = useLoad(async (signal) => (await answered(service.api.GET("/v1/actors/{actor}", { params: { path: { actor: id } }, signal }))).actor ?? {}, [id]);
  const [renamed, rename] = useState<Actor>();
  const who = useWho();
  const actor = renamed ?? loaded.data;
  const study = useStudy(loaded.data);
  const lead = who.data !== undefined && (who.data.role === undefined || who.data.role === "ROLE_LEAD");
  useLayoutEffect(() => {
    if (actor) document.title = `${actor.name || actor.id} · Actors · Elsewhere`;
  }, [actor]);
  // An earlier id stands for the actor, too: the address that is sent on is today's.
  useLayoutEffect(() => {
    if (loaded.data?.id && loaded.data.id !== id) go(href(["actors", loaded.data.id], Object.fromEntries(route.query)), true);
  }, [loaded.data]);
  if (loaded.problem) return <ProblemBox problem={loaded.problem} again={loaded.again} />;
  if (!actor) return <Waiting />;
  return (
    <div class="actor">
      <h1>{actor.name ? <Value value={actor.name} copy={false} /> : "Actor without a name"}</h1>
      <p class="muted">
        Cases that one actor seems to stand behind, by the likelihood of same actor and by what people said. <Value value={actor.id ?? ""} />
      </p>
      <Facts actor={actor} />
      {lead && <NameForm actor={actor} done={rename} />}
      <PictureCard route={route} study={study} actor={actor} />
      <div class="columns">
        <CaseTimes study={study} />
        <Strip actor={actor} />
        <Evidence values={actor.evidence ?? []} />
        <Candidates links={actor.candidates ?? []} />
        <Conflicts conflicts={actor.conflicts ?? []} />
      </div>
      {lead && <ExportCard actor={actor} />}
      <History id={actor.id ?? ""} round={actor.namedAt ?? ""} />
    </div>
  );
}

function Facts({ actor }: { actor: Actor }) {
  const [all, setAll] = useState(false);
  const tenants = actor.tenants ?? [];
  return (
    <dl class="facts across">
      <div>
        <dt>Cases</dt>
        <dd>{(actor.cases ?? 0).toLocaleString("en")}</dd>
      </div>
      <div>
        <dt>Active</dt>
        <dd>
          <Time at={actor.firstSeen} day /> to <Time at={actor.lastSeen} day />
        </dd>
      </div>
      <div>
        <dt>Tenants</dt>
        <dd>
          {tenants.slice(0, all ? tenants.length : tenantsMost).map((t) => (
            <span class="chip">
              {t.name} {t.cases}
            </span>
          ))}
          {!all && tenants.length > tenantsMost && (
            <button type="button" class="quiet" onClick={() => setAll(true)}>
              and {tenants.length - tenantsMost} more
            </button>
          )}
        </dd>
      </div>
      <div>
        <dt>Other tenants</dt>
        <dd title="Tenants that your key does not name.">{countText(actor.otherTenants)}</dd>
      </div>
      {(actor.aliases ?? []).length > 0 && (
        <div>
          <dt>Also called</dt>
          <dd>
            {actor.aliases?.map((a, i) => (
              <>
                {i > 0 && ", "}
                <Value value={a} copy={false} />
              </>
            ))}
          </dd>
        </div>
      )}
      {actor.namedBy && (
        <div>
          <dt>Named</dt>
          <dd>
            by <Value value={actor.namedBy} copy={false} />, <Time at={actor.namedAt} />, at {actor.anchor}
          </dd>
        </div>
      )}
      {actor.note && (
        <div class="note">
          <dt>Note</dt>
          <dd>
            <Value value={actor.note} most={2_000} copy={false} />
          </dd>
        </div>
      )}
    </dl>
  );
}

function Evidence({ values }: { values: readonly Schemas["CommonValue"][] }) {
  return (
    <section class="card" aria-labelledby="evidence">
      <h2 id="evidence">Values in most cases</h2>
      {values.length === 0 && <p class="muted">No two of the cases share a value.</p>}
      <ul class="plain">
        {values.map((v) => (
          <li>
            <span class="muted">{v.cases}</span> <Value value={v.value ?? ""} /> <span class="muted">{[v.kind, v.class?.replaceAll("_", " ")].filter((t) => t).join(", ")}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Candidates({ links }: { links: readonly Schemas["Link"][] }) {
  return (
    <section class="card" aria-labelledby="candidates">
      <h2 id="candidates">Probable pairs that lead out</h2>
      {links.length === 0 ? (
        <p class="muted">No case outside is linked to one of these as probable or better.</p>
      ) : (
        <ul class="plain">
          {links.map((l) => (
            <li class="pair">
              <a href={linkHref(l.a ?? "", l.b ?? "")}>
                {l.a} – {l.b}
              </a>
              <Likelihood value={l.likelihood} model={l.modelVersion ?? 0} />
              <TierBadge tier={l.tier} review={l.review ?? "REVIEW_UNSPECIFIED"} held={l.held ?? false} />
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function Conflicts({ conflicts }: { conflicts: readonly Schemas["ReviewConflict"][] }) {
  if (conflicts.length === 0) return null;
  return (
    <section class="card" aria-labelledby="conflicts">
      <h2 id="conflicts">Reviews that cannot hold together</h2>
      <ul class="plain">
        {conflicts.map((c) => (
          <li>
            <Said review={c.setAside} /> is set aside: <Said review={c.against} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Said({ review }: { review: Schemas["LinkReview"] | undefined }) {
  if (!review) return <>a newer review</>;
  return (
    <>
      <a href={linkHref(review.a ?? "", review.b ?? "")}>
        {review.a} – {review.b}
      </a>{" "}
      {review.action === "REVIEW_ACTION_CONFIRM" ? "confirmed" : review.action === "REVIEW_ACTION_REFUTE" ? "refuted" : "cleared"} by <Value value={review.author ?? ""} copy={false} />{" "}
      <Time at={review.time} />
      {review.reason && (
        <>
          {" "}
          (<Value value={review.reason} copy={false} />)
        </>
      )}
    </>
  );
}
