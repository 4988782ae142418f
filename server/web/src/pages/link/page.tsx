import { useMemo, useState } from "preact/hooks";
import { useHotkeys } from "../../app/hotkeys.ts";
import { problemFrom, useLoad } from "../../app/load.ts";
import { caseHref, go, href, keep, linkHref, type Route } from "../../app/route.ts";
import type { Problem, Schemas } from "../../app/service.ts";
import { useWho, type Who } from "../../app/who.ts";
import { chance, likelihoodOf } from "../../ui/bits.ts";
import { Nothing, ProblemBox, Waiting } from "../../ui/state.tsx";
import { Likelihood, TierBadge } from "../../ui/tier.tsx";
import { Value, visible } from "../../ui/value.tsx";
import { type Action, actions, History, ReviewDialog } from "./review.tsx";
import { commonOf } from "./spans.ts";
import { type Ends, mayReview, type Pair, pairOf, review } from "./state.ts";
import { stepsOf } from "./steps.ts";
import { Techniques } from "./techniques.tsx";
import { TimeLine } from "./timeline.tsx";
import { InWords, Waterfall } from "./waterfall.tsx";
import { linked, whyNot } from "./whynot.ts";
import "./link.css";

/** Two cases and how likely they are one actor's: `#/links/TENANT/CASE/TENANT/CASE`. */
export default function Page({ route }: { route: Route }) {
  const who = useWho();
  const [, tenantA, caseA, tenantB, caseB] = route.path;
  if (!tenantA || !caseA || !tenantB || !caseB) return <Choose />;
  if (!who.data) return who.problem ? <ProblemBox problem={who.problem} again={who.again} /> : <Waiting />;
  // Of its own for each pair: what is shown of one is never reviewed, or undone, as another.
  return <PairPage ends={{ tenantA, caseA, tenantB, caseB }} who={who.data} query={route.query} key={route.path.join("/")} />;
}

/** Any two cases can be compared, also such as are not linked. */
function Choose() {
  const [a, setA] = useState("");
  const [b, setB] = useState("");
  const whole = (ref: string) => /^[^/\s]+\/[^/\s]+$/.test(ref.trim());
  return (
    <div class="link-page">
      <h1>Compare two cases</h1>
      <form
        class="bar-row"
        onSubmit={(e) => {
          e.preventDefault();
          if (whole(a) && whole(b)) go(linkHref(a.trim(), b.trim()));
        }}
      >
        <input aria-label="Case A" placeholder="tenant/case" value={a} onInput={(e) => setA(e.currentTarget.value)} spellcheck={false} />
        <input aria-label="Case B" placeholder="tenant/case" value={b} onInput={(e) => setB(e.currentTarget.value)} spellcheck={false} />
        <button type="submit" disabled={!whole(a) || !whole(b)}>
          Compare
        </button>
      </form>
    </div>
  );
}

function PairPage({ ends, who, query }: { ends: Ends; who: Who; query: URLSearchParams }) {
  const pair = useLoad((signal) => pairOf(ends, who, signal), [ends.tenantA, ends.caseA, ends.tenantB, ends.caseB, who.keyId]);
  const [undo, setUndo] = useState<{ text: string; action: Action; reason: string }>();
  const [problem, setProblem] = useState<Problem>();
  const asked = query.get("review");
  const action = asked !== null && asked in actions ? (asked as Action) : undefined;
  const may = mayReview(who);
  const reviewed = pair.data?.link?.review === "REVIEW_CONFIRMED" || pair.data?.link?.review === "REVIEW_REFUTED";
  useHotkeys(
    may
      ? [
          { key: "c", help: "confirm the link", run: () => keep({ review: "confirm" }) },
          { key: "r", help: "refute the link", run: () => keep({ review: "refute" }) },
          ...(reviewed ? [{ key: "x", help: "clear the review", run: () => keep({ review: "clear" }) }] : []),
        ]
      : [],
    [may, reviewed],
  );
  const done = (said: Action, r: Schemas["ReviewLinkResponse"]) => {
    keep({ review: undefined });
    setUndo({ text: `Said: ${said}.`, ...before(r) });
    pair.again();
  };
  const takeBack = async () => {
    if (!undo) return;
    try {
      setProblem(undefined);
      await review(ends, actions[undo.action], undo.reason, false);
      setUndo(undefined);
      pair.again();
    } catch (e) {
      setProblem(problemFrom(e));
    }
  };
  return (
    <div class="link-page">
      {pair.problem && <ProblemBox problem={pair.problem} again={pair.again} />}
      {!pair.data && !pair.problem && <Waiting what="Comparing" />}
      {undo && (
        <p class="card undo" role="status">
          {undo.text}{" "}
          <button type="button" onClick={() => void takeBack()}>
            Undo
          </button>
        </p>
      )}
      {problem && <ProblemBox problem={problem} />}
      {pair.data && <Shown pair={pair.data} may={may} reviewed={reviewed} query={query} />}
      {action && may && pair.data && <ReviewDialog ends={ends} action={action} done={(r) => done(action, r)} key={action} />}
    </div>
  );
}

/** What puts a pair back to where it was before a review. */
function before(r: Schemas["ReviewLinkResponse"]): { action: Action; reason: string } {
  const was = r.before?.review;
  const reason = (r.history ?? []).at(-2)?.reason ?? "";
  if (was === "REVIEW_CONFIRMED") return { action: "confirm", reason: reason || "undone" };
  if (was === "REVIEW_REFUTED") return { action: "refute", reason: reason || "undone" };
  return { action: "clear", reason: "undone" };
}

function Shown({ pair, may, reviewed, query }: { pair: Pair; may: boolean; reviewed: boolean; query: URLSearchParams }) {
  const { explanation: e, link } = pair;
  const [a, b] = [e.a ?? "", e.b ?? ""];
  const all = query.get("all") !== null;
  const at = query.get("step") ?? "";
  const steps = useMemo(() => stepsOf(e, all), [e, all]);
  const common = useMemo(() => (pair.a && pair.b ? commonOf(e, pair.a, pair.b) : []), [pair]);
  const gathered = steps.some((s) => s.kind === "more");
  const generic = e.sharedGeneric ?? [];
  return (
    <>
      <h1 class="ends">
        <a href={caseHref(a)}>{visible(a)}</a> <span aria-hidden="true">↔</span>
        <span class="hidden-words">and</span> <a href={caseHref(b)}>{visible(b)}</a>
      </h1>
      <div class="card verdict">
        <div class="answer">
          <strong class="chance">{chance(e.likelihood ?? 0)}</strong>
          <span>{likelihoodOf(e.modelVersion ?? 0, e.calibratedReviews ?? 0)}</span>
          <TierBadge tier={link?.tier === "TIER_CONFIRMED" ? link.tier : e.tier} review={link?.review ?? "REVIEW_UNSPECIFIED"} held={link?.held ?? false} />
          {a.split("/")[0] === b.split("/")[0] && <span class="chip">same tenant</span>}
        </div>
        {!linked(e) && <p>{whyNot(e)}</p>}
        {reviewed && <p class="muted">A person has judged this pair; the score stays what it is.</p>}
        {link?.held && <p>Held: one of the cases is linked so widely that nothing follows from the link before a person has reviewed it.</p>}
        {(e.notes ?? []).length > 0 && (
          <ul class="notes">
            {(e.notes ?? []).map((n) => (
              <li>{visible(n)}</li>
            ))}
          </ul>
        )}
        {pair.actors?.map((x) => (
          <p>
            Actor <a href={href(["actors", x.id ?? ""])}>{x.name ? visible(x.name) : x.id}</a>{" "}
            <span class="muted">
              {x.cases} {x.cases === 1 ? "case" : "cases"}
            </span>
          </p>
        ))}
        {may && (
          <div class="bar-row">
            <button type="button" onClick={() => keep({ review: "confirm" })}>
              Confirm… <kbd>c</kbd>
            </button>
            <button type="button" onClick={() => keep({ review: "refute" })}>
              Refute… <kbd>r</kbd>
            </button>
            <button type="button" disabled={!reviewed} onClick={() => keep({ review: "clear" })}>
              Clear… <kbd>x</kbd>
            </button>
          </div>
        )}
      </div>
      <section class="score">
        <div>
          <h2>How the bits add up</h2>
          <Waterfall steps={steps} at={at} />
          <p class="legend">
            <span>
              <i class="swatch plus" /> adds
            </span>
            <span>
              <i class="swatch minus" /> takes away
            </span>
            <span>
              <i class="swatch hatched" /> weight that rank, group or cap takes
            </span>
          </p>
          {(gathered || all) && (
            <button type="button" onClick={() => keep({ all: all ? undefined : "1" })}>
              {all ? "Gather what adds nothing" : "Show every value"}
            </button>
          )}
          <section>
            <h2>Without…</h2>
            <Counterfactuals e={e} />
          </section>
          <section>
            <h2>In common, but adds nothing</h2>
            {generic.length === 0 ? (
              <Nothing>Nothing that everybody has.</Nothing>
            ) : (
              <ul class="plain">
                {generic.map((g) => (
                  <li>
                    <a href={href(["seen"], { q: g.value })}>{visible(g.kind ?? "")}</a> <Value value={g.value ?? ""} /> <span class="muted">{visible(g.reason ?? "")}</span>
                  </li>
                ))}
              </ul>
            )}
          </section>
        </div>
        <div>
          <h2>In words</h2>
          <InWords steps={steps} at={at} />
        </div>
      </section>
      <section>
        <h2>When</h2>
        {pair.a && pair.b ? <TimeLine all={common} a={a} b={b} /> : <Nothing>One of the cases is gone or not for your key.</Nothing>}
      </section>
      <section>
        <h2>Techniques</h2>
        {pair.a && pair.b && <Techniques a={pair.a} b={pair.b} />}
      </section>
      <section>
        <h2>Reviews</h2>
        {pair.history ? <History history={pair.history} /> : <Nothing>{reviewed ? "A lead has judged this pair." : "Leads review links."}</Nothing>}
      </section>
    </>
  );
}

function Counterfactuals({ e }: { e: Schemas["Explanation"] }) {
  const list = e.counterfactuals ?? [];
  if (list.length === 0) return <Nothing>No value decides anything here.</Nothing>;
  return (
    <ul class="plain without">
      {list.map((c) => (
        <li>
          <Likelihood value={c.likelihood} model={e.modelVersion ?? 0} /> <span>without <Value value={c.without ?? ""} copy={false} /></span>
        </li>
      ))}
    </ul>
  );
}
